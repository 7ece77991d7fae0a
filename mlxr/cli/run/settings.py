"""What a chat is set to, and how people write it."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlxr.runtime.config import did_you_mean
from mlxr.runtime.durations import FORMS, duration_seconds
from mlxr.runtime.errors import ConfigError

WHOLE, NUMBER, TEXTS = "int", "float", "string ..."

PARAMETERS = {
    "temperature": (NUMBER, "how freely tokens are drawn; 0 takes the likeliest"),
    "top_k": (WHOLE, "draw from so many of the likeliest tokens"),
    "top_p": (NUMBER, "draw from the likeliest tokens of this much probability"),
    "min_p": (NUMBER, "leave out tokens less likely than this share of the likeliest"),
    "typical_p": (NUMBER, "draw from tokens that are as surprising as is usual"),
    "seed": (WHOLE, "the same number gives the same answer; -1 for any"),
    "num_predict": (WHOLE, "most tokens of an answer; -1 for no limit"),
    "num_ctx": (WHOLE, "tokens of context to use"),
    "num_keep": (WHOLE, "first tokens of a prompt that is too long which stay"),
    "repeat_penalty": (NUMBER, "how strongly repetitions are penalized"),
    "repeat_last_n": (WHOLE, "how far back repetitions count; -1 for all"),
    "presence_penalty": (NUMBER, "penalty of tokens that have occurred"),
    "frequency_penalty": (NUMBER, "penalty of tokens for each time they occurred"),
    "draft_num_predict": (WHOLE, "most tokens that are computed ahead at once; 0 for none"),
    "stop": (TEXTS, "texts that end an answer"),
}
"""Options of Ollama's API that a chat sets, with what they take and what they do."""

BOUNDS: dict[str, tuple[float, float]] = {
    "num_ctx": (0, 2**31 - 1),
    "temperature": (0, 100),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "repeat_penalty": (0.01, 100),
    "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100),
}
"""The least and the greatest value of parameters that have such; the API's own, which a command need not load."""

LEVELS = ("low", "medium", "high", "max")
OFF = ("false", "off", "no", "none")
ON = ("true", "on", "yes")


@dataclass(frozen=True)
class ChatSettings:
    """All that holds for the answers to come.

    options: of the model, by Ollama's names.
    system: the system prompt, '' for the model's own.
    format: "json", a JSON schema, or nothing.
    think: whether or how much the model reasons; None: as it does by itself.
    keep_alive: how long it stays loaded after an answer; None: as the server has it.
    verbose: figures are shown behind each answer.
    wordwrap: lines are broken between words.
    markdown: marks become styles, on a terminal.
    show_thinking: reasoning is shown.
    dimensions: so many numbers of an embedding; None: all.
    """

    options: dict[str, Any] = field(default_factory=dict)
    system: str = ""
    format: Any = None
    think: bool | str | None = None
    keep_alive: str | None = None
    verbose: bool = False
    wordwrap: bool = True
    markdown: bool = True
    show_thinking: bool = True
    dimensions: int | None = None

    def with_option(self, name: str, value: Any) -> ChatSettings:
        return replace(self, options={**self.options, name: value})

    def without_option(self, name: str) -> ChatSettings:
        return replace(self, options={key: value for key, value in self.options.items() if key != name})


def parameter(name: str, texts: list[str]) -> Any:
    """Returns the value that people wrote for a parameter. Raises ``ConfigError`` that names the good ones."""
    if name not in PARAMETERS:
        known = did_you_mean(name, PARAMETERS, "{}") or f"there are {', '.join(PARAMETERS)}"
        raise ConfigError(f"there is no parameter {name!r}; {known}")
    kind, _ = PARAMETERS[name]
    if kind is TEXTS:
        return texts
    convert: type[int] | type[float] = int if kind is WHOLE else float
    try:
        (text,) = texts
        return checked(name, convert(text))
    except ValueError:
        article = "a whole number" if kind is WHOLE else "a number"
        raise ConfigError(f"{name} takes {article}, not {' '.join(texts)!r}") from None


def checked(name: str, value: Any) -> Any:
    """Returns a parameter's value. Raises ``ConfigError`` for a number that is out of bounds, or is none."""
    least, most = BOUNDS.get(name, (-math.inf, math.inf))
    if isinstance(value, int | float) and not (least <= value <= most and math.isfinite(value)):
        raise ConfigError(f"{name} takes {_between(least, most)}, not {value}")
    return value


def _between(least: float, most: float) -> str:
    if not math.isfinite(least):
        return "a number with an end"
    return f"{least:g} or more" if most > 100 else f"a number from {least:g} to {most:g}"


def given_format(text: str) -> Any:
    """Returns what ``--format`` asks for: "json", a schema written out, or one in a file. Raises ``ConfigError``."""
    if text in ("", "json"):
        return text or None
    schema = text
    if not text.lstrip().startswith("{"):
        path = Path(os.path.expanduser(text.removeprefix("@")))
        try:
            schema = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError(
                f'a format is "json", a JSON schema, or a file with one; {text!r} can\'t be read: {why}'
            ) from None
    try:
        value = json.loads(schema)
    except ValueError as error:
        raise ConfigError(f"the format {text[:60]!r} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"the format {text[:60]!r} is no JSON schema: a schema is an object")
    return value


def given_keep_alive(text: str) -> str:
    """Returns what ``--keepalive`` asks for, as servers take it. Raises ``ConfigError``."""
    try:
        duration_seconds(text)
    except ValueError:
        raise ConfigError(f"keepalive takes {FORMS}, not {text!r}; -1 is for ever, 0 at once") from None
    return text.strip()


def given_think(text: str) -> bool | str:
    """Returns what ``--think`` asks for. Raises ``ConfigError``."""
    lowered = text.lower()
    if lowered in ON or lowered in OFF:
        return lowered in ON
    if lowered in LEVELS:
        return lowered
    raise ConfigError(f"think is true, false, or one of {', '.join(LEVELS)}, not {text!r}")

"""The parameters that a model may have, by Ollama's names: what each may be."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

Scalar = int | float | bool | str
INT32 = 2**31 - 1
INT64 = 2**63 - 1
TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class Parameter(NamedTuple):
    """What a parameter's value is: ``type``, between ``least`` and ``most`` where it is a number. ``several``: it is a
    text that may be given several times."""

    type: type[int] | type[float] | type[bool] | type[str]
    least: float = -math.inf
    most: float = math.inf
    several: bool = False


_WHOLE = Parameter(int, -INT32 - 1, INT32)
PARAMETERS: Mapping[str, Parameter] = {
    "num_ctx": Parameter(int, 0, INT32),
    "num_predict": _WHOLE,
    "num_keep": _WHOLE,
    "seed": Parameter(int, -INT64 - 1, INT64),
    "temperature": Parameter(float, 0, 100),
    "top_k": _WHOLE,
    "top_p": Parameter(float, 0, 1),
    "min_p": Parameter(float, 0, 1),
    "typical_p": Parameter(float, 0, 1),
    "repeat_last_n": _WHOLE,
    "repeat_penalty": Parameter(float, 0, 100),
    "presence_penalty": Parameter(float, -100, 100),
    "frequency_penalty": Parameter(float, -100, 100),
    "stop": Parameter(str, several=True),
    "draft_num_predict": _WHOLE,
    "draft_model": Parameter(str),
    "num_batch": _WHOLE,
    "num_gpu": _WHOLE,
    "main_gpu": _WHOLE,
    "num_thread": _WHOLE,
    "use_mmap": Parameter(bool),
}
"""All that Ollama knows, and ``draft_model``. Those from ``num_batch`` on tune llama.cpp, and change nothing here."""

DEPRECATED = frozenset(
    {"penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock", "mirostat", "mirostat_tau",
     "mirostat_eta", "tfs_z", "numa", "embedding_only", "num_gqa", "rope_frequency_base", "rope_frequency_scale"}
)  # fmt: skip
"""What older releases of Ollama knew; it leaves them out, with a remark."""


def parsed(name: str, text: str) -> Scalar:
    """Returns a parameter's value that is written as text. Raises ``ValueError`` for an unknown name, with the nearest,
    and for a value of another type or out of range."""
    parameter = known(name)
    if parameter.type is str:
        return text
    if parameter.type is bool:
        if text not in TRUE | FALSE:
            raise ValueError(f"{name} is true or false, not {text[:40]!r}")
        return text in TRUE
    try:
        value: int | float = int(text, 10) if parameter.type is int else float(text)
    except ValueError:
        raise ValueError(f"{name} is {_words(parameter)}, not {text[:40]!r}") from None
    made: Scalar = checked(name, value)
    return made


def checked(name: str, value: Any) -> Any:
    """Returns a parameter's value, a list of texts for one of those. Raises ``ValueError`` as ``parsed``."""
    parameter = known(name)
    if parameter.type is str and not parameter.several:
        if not isinstance(value, str):
            raise ValueError(f"{name} is a text, not {value!r:.40}")
        return value
    if parameter.type is str:
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{name} is a text or a list of texts, not {value!r:.40}")
        return texts
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = isinstance(value, bool) if parameter.type is bool else number
    if parameter.type is int and number and value != int(value if math.isfinite(value) else 0):
        fits = False
    if not fits or (number and not parameter.least <= value <= parameter.most):
        raise ValueError(f"{name} is {_words(parameter)}, not {value!r:.40}")
    return parameter.type(value)


def known(name: str) -> Parameter:
    """Raises ``ValueError`` for a name that is none, with the nearest."""
    if name in PARAMETERS:
        return PARAMETERS[name]
    near = difflib.get_close_matches(name.lower(), PARAMETERS, 1, 0.6)
    way_out = f"did you mean {near[0]}?" if near else f"it may be {', '.join(PARAMETERS)}"
    raise ValueError(f"unknown parameter {name[:40]!r}; {way_out}")


def _words(parameter: Parameter) -> str:
    if parameter.type is bool:
        return "true or false"
    what = "a whole number" if parameter.type is int else "a number"
    if not math.isfinite(parameter.least):
        return what
    if parameter.type is int and parameter.most >= INT32:
        return what if parameter.least < 0 else f"{what} that is not negative"
    return f"{what} from {parameter.least:g} to {parameter.most:g}"

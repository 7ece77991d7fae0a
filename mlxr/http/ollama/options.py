"""Ollama's ``options``, ``format`` and ``think`` in the runtime's terms."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from msgspec.structs import replace

from mlxr.api.capabilities import require_capability
from mlxr.api.errors import invalid
from mlxr.api.llama_sampling import llama_sampling
from mlxr.api.model_defaults import options_of
from mlxr.api.parameters import most_drafted, stop_strings
from mlxr.http.adapters import adapters_of
from mlxr.http.ollama.schema import Format, GenerationFields, Options, Think
from mlxr.http.request_body.decode import converted
from mlxr.http.request_body.unknown_fields import MAX_FIELDS, header_value
from mlxr.http.settings import ServerSettings
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import Constraint, ConstraintKind, Sampling
from mlxr.runtime.messages.tokenizer import Generate, Prompt

_log = logging.getLogger("mlxr.http")

DEFAULT_KEEP = 4
KEEP_ALL = 2**31 - 1
"""What a negative ``num_keep`` asks for: as much of the prompt's beginning as there is room for."""


def options(given: dict[str, Any] | None, entry: ModelEntry | None, within: str = "options") -> Options:
    """Returns the request's options over the model's own. Unknown ones are logged; raises ``RequestError`` for wrong
    ones. ``within``: the field they came in."""
    merged = {**options_of(entry), **{name: value for name, value in (given or {}).items() if value is not None}}
    known = set(Options.__struct_fields__)
    if strange := [name for name in merged if name not in known and name not in Options.IGNORED]:
        _log.warning("invalid options provided: %s", header_value(sorted(strange[:MAX_FIELDS])))
    made: Options = converted({name: merged[name] for name in known if name in merged}, Options, within)
    return made


def sampling(given: Options, logprobs: int | None) -> Sampling:
    """Ollama's defaults where nothing is given."""
    made = llama_sampling(given, repeat_penalty=given.repeat_penalty, top_p=0.9, min_p=0.0)
    return replace(made, logprobs=logprobs)


def command(body: GenerationFields, entry: ModelEntry | None, prompt: Prompt, settings: ServerSettings) -> Generate:
    """Returns the ``Generate`` of either route, around its prompt."""
    given = options(body.options, entry)
    if body.top_logprobs and not body.logprobs:
        raise invalid("`top_logprobs` needs `logprobs`: true", "top_logprobs")
    keep = DEFAULT_KEEP if given.num_keep is None else given.num_keep
    return Generate(
        request=0,
        prompt=prompt,
        sampling=sampling(given, (body.top_logprobs or 0) if body.logprobs else None),
        max_tokens=given.num_predict if given.num_predict and given.num_predict > 0 else None,
        stop_strings=stop_strings(given.stop, settings.max_stop),
        constraint=constraint(body.format),
        truncate_keep=None if body.truncate is False else keep if keep >= 0 else KEEP_ALL,
        context_length=given.num_ctx or None,
        adapters=adapters_of(body.adapters),
        most_drafted=most_drafted(given.draft_num_predict),
        # The model's own parameter says what is loaded beside it; only a request's says what the request may use.
        draft_model=given.draft_model if (body.options or {}).get("draft_model") is not None else None,
    )


def constraint(given: Format | None) -> Constraint | None:
    """``format``: "json", a JSON schema (the empty one is any JSON), or nothing. What can't be held to of a schema is
    left out, and named by the response."""
    if given is None or given == "":
        return None
    if given == "json":
        return Constraint(ConstraintKind.JSON_OBJECT, field="format")
    if isinstance(given, str):
        raise invalid(f'`format`: {given!r} is neither "json" nor a JSON schema', "format")
    return Constraint(ConstraintKind.JSON_SCHEMA, msgspec.json.encode(given).decode(), field="format", strict=False)


def think(given: Think | None, entry: ModelEntry | None) -> str | None:
    """``think`` as ``ChatPrompt.reasoning_effort``; raises ``RequestError`` for a model that can't."""
    if given is None:
        return None
    if given is False or given == "none":
        return "none"
    require_capability("thinking", entry, "think")
    return "on" if given is True else given

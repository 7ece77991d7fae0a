"""OpenAI's sampling parameters and output formats in the runtime's terms."""

from __future__ import annotations

import hashlib
import re
from typing import TypeVar

from msgspec.structs import replace

import mlxr
from mlxr.api.constraints import JsonSchema, grammar, json_object, json_schema, one_of, regex, response_format
from mlxr.api.errors import invalid
from mlxr.api.gateway import Gateway
from mlxr.api.llama_sampling import PENALTY_WINDOW
from mlxr.api.model_defaults import engine_of
from mlxr.api.parameters import seed
from mlxr.http.openai.sampling_fields import SamplingFields, StreamOptions, StructuredOutputs
from mlxr.http.openai.schema import ChatRequest, CompletionRequest, ResponseFormat
from mlxr.runtime.messages.common import Constraint, Sampling

MAX_STOP = 4

F = TypeVar("F", bound=SamplingFields)

_TOKEN_ID = re.compile(r"[0-9]{1,9}")


def with_one_penalty(fields: F) -> F:
    """Returns ``fields`` with llama.cpp's ``repeat_penalty`` as ``repetition_penalty``. Raises ``RequestError`` for
    both."""
    if fields.repeat_penalty is None:
        return fields
    if fields.repetition_penalty not in (None, fields.repeat_penalty):
        raise invalid("`repeat_penalty` and `repetition_penalty` are one thing, and differ", "repeat_penalty")
    window = PENALTY_WINDOW if fields.repeat_last_n is None else fields.repeat_last_n
    return replace(fields, repetition_penalty=fields.repeat_penalty, repeat_last_n=window)


def sampling(fields: SamplingFields, logprobs: int | None) -> Sampling:
    """Sampling settings of a request; without a seed it gets one of its own. ``logprobs`` as in ``Sampling``."""
    window = fields.repeat_last_n
    penalize = window != 0
    return Sampling(
        temperature=_or(fields.temperature, 1.0),
        top_k=fields.top_k if fields.top_k and fields.top_k > 0 else None,
        top_p=_or(fields.top_p, 1.0),
        min_p=_or(fields.min_p, 0.0),
        typical_p=_or(fields.typical_p, 1.0),
        repetition_penalty=_or(fields.repetition_penalty, 1.0) if penalize else 1.0,
        presence_penalty=_or(fields.presence_penalty, 0.0) if penalize else 0.0,
        frequency_penalty=_or(fields.frequency_penalty, 0.0) if penalize else 0.0,
        penalize_prompt=window is not None,
        penalty_window=window if window is not None and window > 0 else None,
        logit_bias=_logit_bias(fields.logit_bias or {}),
        seed=seed(fields.seed),
        logprobs=logprobs,
    )


def check_stream_options(fields: SamplingFields) -> None:
    """Raises ``RequestError`` for options of a stream that nobody asked for."""
    if fields.stream_options is not None and not fields.stream:
        raise invalid("`stream_options` needs `stream`: true", "stream_options")


def usages(options: StreamOptions | None) -> tuple[bool, bool]:
    """Whether a stream ends with its usage, and whether every chunk has what it is so far, which vLLM's clients ask for
    with the former."""
    include = bool(options and options.include_usage)
    return include, include and bool(options and options.continuous_usage_stats)


def constraint(fields: ChatRequest | CompletionRequest) -> Constraint | None:
    """Returns what the output must match; raises ``RequestError`` when two fields ask for different things."""
    found = [
        (name, made)
        for name, made in (
            ("response_format", _of_format(fields.response_format)),
            ("guided_json", _json_schema("guided_json", fields.guided_json)),
            ("guided_regex", regex(fields.guided_regex)),
            ("guided_grammar", grammar(fields.guided_grammar)),
            ("guided_choice", one_of(fields.guided_choice)),
            *_structured(fields.structured_outputs),
            ("json_schema", _json_schema("json_schema", fields.json_schema)),
            ("regex", regex(fields.regex)),
            ("grammar", grammar(fields.grammar)),
            ("ebnf", grammar(fields.ebnf)),
        )
        if made is not None
    ]
    if len(found) > 1:
        names = ", ".join(f"`{name}`" for name, _ in found)
        raise invalid(f"{names} exclude each other: the output can have one format", found[1][0])
    return replace(found[0][1], field=found[0][0]) if found else None


def fingerprint(gateway: Gateway, model: str) -> str:
    """``system_fingerprint``: changes when the model's file, its engine's backend or mlxr does."""
    entry = gateway.find(model)
    engine = engine_of(gateway, entry) if entry else None
    backend = engine.backend if engine else ""
    facts = f"{mlxr.__version__}:{entry.digest if entry else model}:{backend}"
    return "fp_" + hashlib.sha256(facts.encode()).hexdigest()[:10]


def _of_format(given: ResponseFormat | None) -> Constraint | None:
    if given is None:
        return None
    schema = given.json_schema.schema if given.json_schema else given.schema
    kind = "json_schema" if given.type == "json_object" and schema is not None else given.type
    strict = given.json_schema is not None and bool(given.json_schema.strict)
    return response_format(kind, schema, "response_format.json_schema.schema", strict=strict)


def _structured(given: StructuredOutputs | None) -> list[tuple[str, Constraint | None]]:
    if given is None:
        return []
    field = "structured_outputs"
    found = [
        (f"{field}.json", _json_schema(f"{field}.json", given.json)),
        (f"{field}.json_object", json_object() if given.json_object else None),
        (f"{field}.regex", regex(given.regex)),
        (f"{field}.choice", one_of(given.choice)),
        (f"{field}.grammar", grammar(given.grammar)),
    ]
    if all(made is None for _, made in found):
        raise invalid(f"`{field}` asks for nothing: give it json, json_object, regex, choice or grammar", field)
    return found


def _json_schema(field: str, schema: JsonSchema | str | None) -> Constraint | None:
    return None if schema is None else json_schema(schema, field)


def _logit_bias(given: dict[str, float]) -> dict[int, float]:
    for token in given:
        if not _TOKEN_ID.fullmatch(token):
            raise invalid(f"`logit_bias`: {token[:60]!r} is no token id", "logit_bias")
    return {int(token): bias for token, bias in given.items()}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value

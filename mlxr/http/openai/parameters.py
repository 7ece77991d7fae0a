"""OpenAI's sampling parameters and output formats in the runtime's terms."""

from __future__ import annotations

import hashlib
import random
import re

import msgspec
from msgspec.structs import replace

import mlxr
from mlxr.api.errors import invalid
from mlxr.api.gateway import Gateway
from mlxr.http.openai.schema import (
    ChatRequest,
    CompletionRequest,
    JsonSchema,
    ResponseFormat,
    SamplingFields,
    StreamOptions,
    StructuredOutputs,
)
from mlxr.http.settings import ServerSettings
from mlxr.runtime.messages.common import Constraint, ConstraintKind, Sampling

MAX_STOP = 4

_SEED_MASK = 2**63 - 1
_TOKEN_ID = re.compile(r"[0-9]{1,9}")
_REGEX_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~/")


def sampling(fields: SamplingFields, logprobs: int) -> Sampling:
    """Sampling settings of a request; without a seed it gets one of its own. ``logprobs`` as in ``Sampling``."""
    return Sampling(
        temperature=_or(fields.temperature, 1.0),
        top_k=max(0, fields.top_k or 0),
        top_p=_or(fields.top_p, 1.0),
        min_p=_or(fields.min_p, 0.0),
        typical_p=_or(fields.typical_p, 1.0),
        repetition_penalty=_or(fields.repetition_penalty, 1.0),
        presence_penalty=_or(fields.presence_penalty, 0.0),
        frequency_penalty=_or(fields.frequency_penalty, 0.0),
        logit_bias=_logit_bias(fields.logit_bias or {}),
        seed=seed(fields.seed),
        logprobs=logprobs,
    )


def seed(given: int | None) -> int:
    return random.getrandbits(63) if given is None else given & _SEED_MASK


def stops(given: str | list[str] | None, most: int) -> list[str]:
    """Stop strings; raises ``RequestError`` for more than ``most``."""
    found = [given] if isinstance(given, str) else given or []
    if len(found) > most:
        raise invalid(f"`stop` has {len(found)} strings; at most {most} are taken", "stop")
    return [text for text in found if text]


def choices(n: int | None, settings: ServerSettings, field: str = "n") -> int:
    count = n or 1
    if count > settings.max_choices:
        raise invalid(f"`{field}` is {count}; at most {settings.max_choices} are taken", field)
    return count


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
    """What the output must match; raises ``RequestError`` when two fields ask for different things."""
    found = [
        (name, made)
        for name, made in (
            ("response_format", _of_format(fields.response_format)),
            ("guided_json", _of_schema("guided_json", fields.guided_json)),
            ("guided_regex", _of(ConstraintKind.REGEX, fields.guided_regex)),
            ("guided_grammar", _of(ConstraintKind.LARK, fields.guided_grammar)),
            ("guided_choice", _of_choice(fields.guided_choice)),
            *_structured(fields.structured_outputs),
            ("json_schema", _of_schema("json_schema", fields.json_schema)),
            ("regex", _of(ConstraintKind.REGEX, fields.regex)),
            ("grammar", _of(ConstraintKind.LARK, fields.grammar)),
            ("ebnf", _of(ConstraintKind.LARK, fields.ebnf)),
        )
        if made is not None
    ]
    if len(found) > 1:
        names = ", ".join(f"`{name}`" for name, _ in found)
        raise invalid(f"{names} exclude each other: the output can have one format", found[1][0])
    return replace(found[0][1], field=found[0][0]) if found else None


def json_constraint(kind: str, schema: JsonSchema | None, field: str) -> Constraint | None:
    """``kind``: text, json_object or json_schema, as in ``response_format`` and Responses' ``text.format``; ``field``
    holds the schema."""
    if kind == "json_object":
        return Constraint(ConstraintKind.JSON_OBJECT)
    if kind == "json_schema":
        if schema is None:
            raise invalid(f"`{field}` is missing", field)
        return _of_schema(field, schema)
    return None


def fingerprint(gateway: Gateway, model: str) -> str:
    """``system_fingerprint``: changes when the model's file, its engine's backend or mlxr does."""
    entry = gateway.find(model)
    backend = next((e.backend for e in gateway.engines() if entry and e.model == entry.name), "")
    facts = f"{mlxr.__version__}:{entry.digest if entry else model}:{backend}"
    return "fp_" + hashlib.sha256(facts.encode()).hexdigest()[:10]


def _of_format(given: ResponseFormat | None) -> Constraint | None:
    if given is None:
        return None
    schema = given.json_schema.schema if given.json_schema else given.schema
    kind = "json_schema" if given.type == "json_object" and schema is not None else given.type
    return json_constraint(kind, schema, "response_format.json_schema.schema")


def _structured(given: StructuredOutputs | None) -> list[tuple[str, Constraint | None]]:
    if given is None:
        return []
    field = "structured_outputs"
    found = [
        (f"{field}.json", _of_schema(f"{field}.json", given.json)),
        (f"{field}.json_object", Constraint(ConstraintKind.JSON_OBJECT) if given.json_object else None),
        (f"{field}.regex", _of(ConstraintKind.REGEX, given.regex)),
        (f"{field}.choice", _of_choice(given.choice)),
        (f"{field}.grammar", _of(ConstraintKind.LARK, given.grammar)),
    ]
    if all(made is None for _, made in found):
        raise invalid(f"`{field}` asks for nothing: give it json, json_object, regex, choice or grammar", field)
    return found


def _of_schema(field: str, schema: JsonSchema | str | None) -> Constraint | None:
    """Some clients send the schema as a string of JSON."""
    if schema is None:
        return None
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema, type=JsonSchema)
        except msgspec.DecodeError as error:
            raise invalid(f"`{field}` is no JSON schema: {error}", field) from error
    return Constraint(ConstraintKind.JSON_SCHEMA, msgspec.json.encode(schema).decode())


def _of(kind: ConstraintKind, source: str | None) -> Constraint | None:
    return Constraint(kind, source) if source else None


def _of_choice(given: list[str] | None) -> Constraint | None:
    if not given:
        return None
    return Constraint(ConstraintKind.REGEX, "|".join(f"(?:{_escape(text)})" for text in given))


def _escape(text: str) -> str:
    return "".join(f"\\{c}" if c in _REGEX_SPECIAL else c for c in text)


def _logit_bias(given: dict[str, float]) -> dict[int, float]:
    for token in given:
        if not _TOKEN_ID.fullmatch(token):
            raise invalid(f"`logit_bias`: {token[:60]!r} is no token id", "logit_bias")
    return {int(token): bias for token, bias in given.items()}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value

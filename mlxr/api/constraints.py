"""What an answer must match, as the executor takes it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from mlxr.api.errors import invalid
from mlxr.runtime.messages.common import Constraint, ConstraintKind

JsonSchema = dict[str, Any] | bool

_REGEX_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~/")


def json_object(field: str = "") -> Constraint:
    """Returns the constraint to any JSON object; ``field`` asked for it."""
    return Constraint(ConstraintKind.JSON_OBJECT, field=field)


def json_schema(schema: JsonSchema | str, field: str = "") -> Constraint:
    """Returns the constraint to ``schema``, which some clients send as a string of JSON. Raises ``RequestError`` naming
    ``field`` for a string that is none."""
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema, type=JsonSchema)
        except msgspec.DecodeError as error:
            raise invalid(f"`{field}` is no JSON schema: {error}", field) from error
    return Constraint(ConstraintKind.JSON_SCHEMA, msgspec.json.encode(schema).decode(), field=field)


def response_format(
    kind: str, schema: JsonSchema | None, schema_field: str, *, strict: bool = False
) -> Constraint | None:
    """Returns what ``kind`` asks for: text, json_object or json_schema, whose schema ``schema_field`` holds. ``strict``
    as in ``Constraint``."""
    if kind == "json_object":
        return json_object()
    if kind == "json_schema":
        if schema is None:
            raise invalid(f"`{schema_field}` is missing", schema_field)
        return replace(json_schema(schema, schema_field), strict=strict)
    return None


def regex(pattern: str | None) -> Constraint | None:
    """Returns the constraint to a regular expression, None for an empty one."""
    return Constraint(ConstraintKind.REGEX, pattern) if pattern else None


def grammar(source: str | None) -> Constraint | None:
    """Returns the constraint to a Lark grammar, None for an empty one."""
    return Constraint(ConstraintKind.LARK, source) if source else None


def one_of(texts: list[str] | None) -> Constraint | None:
    """Returns the constraint to one of ``texts``, None for none."""
    return regex("|".join(f"(?:{_escaped(text)})" for text in texts or []))


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in _REGEX_SPECIAL else c for c in text)

"""What a schema has in it that says nothing about the values that fit, and that llguidance would refuse."""

from __future__ import annotations

from typing import Any

from mlxr.models.constraints.closing import subschemas

_FORMATS = frozenset(
    {
        *("date-time", "date", "time", "duration"),
        *("email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"),
        *("uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid"),
        *("json-pointer", "relative-json-pointer", "regex"),
    }
)
"""JSON Schema's own (draft 2020-12, validation, 7.3). Any other, as OpenAPI's int64 or pydantic's path, is a note."""


def drop_annotations(schema: dict[str, Any]) -> None:
    """Takes out, in place, formats that JSON Schema has no rule for, and the name of the whole where nothing refers to
    it: programs name theirs with words that are no URI."""
    parts = subschemas(schema)
    for part in parts:
        if isinstance(format := part.get("format"), str) and format not in _FORMATS:
            del part["format"]
    if all(str(part.get("$ref", "#")).startswith("#") for part in parts):
        schema.pop("$id", None)

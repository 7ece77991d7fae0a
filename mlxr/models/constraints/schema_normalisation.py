"""Normalises JSON schemas: objects have no properties but those that are listed.

JSON Schema lets an object have any others unless ``additionalProperties`` says no. Hardly anybody who lists properties
means that, and a small model that may go on inventing some does so until it is cut off. Whatever fits a closed schema
fits the open one.
"""

from __future__ import annotations

from typing import Any

_BY_NAME = ("properties", "$defs", "definitions")
_IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_ALONE = ("items", "additionalProperties")

SAYS_MORE = frozenset({"additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames"})
"""Keywords that tell what else an object may have."""

_OVERLAPS = frozenset({"if", "not", "dependentSchemas", "dependencies", "$dynamicRef", "$recursiveRef"})
"""Keywords whose schemas describe the object that another schema describes already."""

_OVERLAPS_BESIDE_PROPERTIES = frozenset({"anyOf", "oneOf", "allOf", "$ref"})


def close_objects(schema: dict[str, Any]) -> None:
    """Sets ``additionalProperties: false``, in place, at each object that lists its properties and says nothing of
    others. Where several schemas describe one object nothing is changed: closed, each would forbid what others list."""
    parts = subschemas(schema)
    if not any(_overlaps(part) for part in parts):
        for part in parts:
            if _is_open(part):
                part["additionalProperties"] = False


def subschemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns ``schema`` and all within it. Not by recursion: schemas nest as deeply as JSON's decoder lets them."""
    parts: list[dict[str, Any]] = [schema]
    for part in parts:
        inner: list[Any] = [part.get(key) for key in _ALONE]
        for key in _BY_NAME:
            inner += named.values() if isinstance(named := part.get(key), dict) else []
        for key in _IN_LISTS:
            inner += listed if isinstance(listed := part.get(key), list) else []
        parts += [each for each in inner if isinstance(each, dict)]
    return parts


def _overlaps(schema: dict[str, Any]) -> bool:
    beside = "properties" in schema and not schema.keys().isdisjoint(_OVERLAPS_BESIDE_PROPERTIES)
    every = schema.get("allOf")
    return beside or (isinstance(every, list) and len(every) > 1) or not schema.keys().isdisjoint(_OVERLAPS)


def _is_open(schema: dict[str, Any]) -> bool:
    listed, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(listed, dict) or not listed or not schema.keys().isdisjoint(SAYS_MORE):
        return False
    return isinstance(required, list) and all(name in listed for name in required if isinstance(name, str))

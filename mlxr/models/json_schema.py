"""The parts of a JSON schema: what lies within it, and what it refers to. Nothing here recurses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
ALONE = (
    *("items", "additionalProperties", "additionalItems", "contains", "propertyNames"),
    *("not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems"),
)


def children(schema: Schema) -> Iterator[tuple[str, Any]]:
    """Yields what stands where a schema should, each with its place below ``schema``, as in a JSON pointer."""
    for key in BY_NAME:
        if isinstance(named := schema.get(key), dict):
            yield from ((f"{key}/{name}", each) for name, each in named.items())
    for key in IN_LISTS:
        if isinstance(listed := schema.get(key), list):
            yield from ((f"{key}/{index}", each) for index, each in enumerate(listed))
    yield from ((key, schema[key]) for key in ALONE if key in schema and not isinstance(schema[key], list))


def resolve(root: Any, reference: Any) -> Any:
    """Returns what ``reference``, a pointer into ``root``, leads to; None where there is no such place."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    found = root
    for piece in reference[2:].split("/") if len(reference) > 1 else []:
        name = unquote(piece).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) < 9 and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def anchors(root: Schema) -> dict[str, Schema]:
    """Returns the parts of ``root`` by references that name them: ``$anchor`` and ``$id``."""
    found: dict[str, Schema] = {}
    for _, part in parts(root, follow=False):
        if isinstance(name := part.get("$anchor"), str):
            found[f"#{name}"] = part
        if isinstance(name := part.get("$id"), str):
            found[name] = part
    return found


def parts(root: Schema, *, follow: bool = True) -> list[tuple[str, Schema]]:
    """Returns all schemas of ``root`` that are objects, each once, with their places; ``follow``: those referred to as
    well, wherever in ``root`` they stand."""
    found: list[tuple[str, Schema]] = [("#", root)]
    seen = {id(root)}
    for place, part in found:
        inner = [(f"{place}/{below}", each) for below, each in children(part)]
        if follow and "$ref" in part:
            inner.append((str(part["$ref"]), resolve(root, part["$ref"])))
        for where, each in inner:
            if isinstance(each, dict) and id(each) not in seen:
                seen.add(id(each))
                found.append((where, each))
    return found


MOST_ALTERNATIVES = 64
MOST_STEPS = 500
"""Beyond so many, what a value may be counts as unknown: references may go round."""

_CHOICES = frozenset({"$ref", "anyOf", "oneOf", "allOf"})


def alternatives(schema: Any, root: Any) -> list[Schema]:
    """Returns what ``schema``, a part of ``root``, allows, as a list of schemas of which any one may fit.

    None of them has a ``$ref``, ``anyOf``, ``oneOf`` or ``allOf`` at its top; an empty one stands for anything. Where
    parts of an ``allOf`` have the same keyword, the last one counts.
    """
    found: list[Schema] = []
    pending: list[Any] = [schema]
    steps = 0
    while pending:
        each, steps = pending.pop(0), steps + 1
        if len(found) + len(pending) > MOST_ALTERNATIVES or steps > MOST_STEPS:
            return [{}]
        if each is False:
            continue
        if not isinstance(each, dict):
            found.append({})
            continue
        expanded = _expanded(each, root)
        if expanded is None:
            found.append({key: value for key, value in each.items() if key not in ("$ref", "allOf")})
        else:
            pending += expanded
    return found


def _expanded(schema: Schema, root: Any) -> list[Any] | None:
    """Returns what ``schema`` is one step further; None where there is no step."""
    rest = dict(schema)
    if isinstance(schema.get("$ref"), str):
        target = resolve(root, rest.pop("$ref"))
        if not isinstance(target, dict | bool):
            return [rest]
        return [_both(rest, target)] if _says_more(rest) else [target]
    for key in ("anyOf", "oneOf"):
        if isinstance(either := rest.pop(key, None), list):
            return [_both(rest, each) for each in either] if _says_more(rest) else list(either)
    if isinstance(every := rest.pop("allOf", None), list):
        merged: Any = rest
        for each in every:
            merged = _both(merged, each)
        return [merged]
    return None


def _says_more(schema: Schema) -> bool:
    return not schema.keys() <= {"$defs", "definitions", "$schema", "title", "description", "default", "x-guidance"}


def _both(one: Any, other: Any) -> Any:
    """Returns what fits both, as far as putting their keywords beside each other says so."""
    if one is False or other is False:
        return False
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one if isinstance(one, dict) else other if isinstance(other, dict) else {}
    if not (one.keys().isdisjoint(_CHOICES) or other.keys().isdisjoint(_CHOICES)):
        return {**one, "allOf": [*_list(one.get("allOf")), other]}
    made = {**one, **other}
    if isinstance(one.get("properties"), dict) and isinstance(other.get("properties"), dict):
        made["properties"] = {**one["properties"], **other["properties"]}
    if isinstance(one.get("required"), list) and isinstance(other.get("required"), list):
        made["required"] = [*one["required"], *other["required"]]
    if "type" in one and "type" in other:
        shared = [each for each in _list(one["type"]) if each in _list(other["type"])]
        if not shared:
            return False
        made["type"] = shared[0] if len(shared) == 1 else shared
    return made


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def values_of(schema: Schema) -> list[Any] | None:
    """Returns the values that ``schema`` lists, with ``const`` or ``enum``; None where it lists none."""
    if "const" in schema:
        return [schema["const"]]
    return schema["enum"] if isinstance(schema.get("enum"), list) else None


def types_of(schema: Schema) -> frozenset[str]:
    """Returns the types of a schema without alternatives; empty where it says nothing of them."""
    values = values_of(schema)
    if values is not None:
        return frozenset(map(type_of, values))
    return frozenset(each for each in _list(schema.get("type")) if isinstance(each, str))


def type_of(value: Any) -> str:
    """JSON Schema's name for the type of ``value``."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
    return "array" if isinstance(value, list) else "object"

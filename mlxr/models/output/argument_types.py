"""Argument values of formats that write them as plain text: typed by the function's JSON schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlxr.models.json_schema import alternatives, types_of, values_of
from mlxr.models.output.python_literals import UNREADABLE, dumps, from_json, literal
from mlxr.runtime.messages.tokenizer import Tool

TEXT = frozenset({"string"})


@dataclass(frozen=True, slots=True)
class Values:
    """What a parameter may be.

    Attributes:
        types: JSON's names, empty where the schema does not say.
        listed: the only values there are; None for any.
    """

    types: frozenset[str] = frozenset()
    listed: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, schema: Any, root: Any) -> Values:
        """Of a part of the schema ``root``."""
        choices = alternatives(schema, root)
        types = [types_of(choice) for choice in choices]
        lists = [values_of(choice) for choice in choices]
        listed = None if None in lists or not lists else tuple(value for each in lists for value in each or ())
        return cls(frozenset().union(*types) if types and all(types) else frozenset(), listed)


ANYTHING = Values()


class ArgumentTypes:
    """JSON types of every parameter of the functions in ``tools``."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: _Parameters(tool) for tool in tools}

    def is_text(self, function: str, parameter: str) -> bool:
        """Tells whether the value can only be a string, so that it may be passed on as it comes."""
        return self._values(function, parameter).types == TEXT

    def encode(self, function: str, parameter: str, text: str) -> str:
        """JSON text of the value written ``text``."""
        values = self._values(function, parameter)
        if values.listed is not None and text in values.listed:
            return dumps(text)
        read = _literal(text.strip())
        if values.listed is not None and read and json.loads(read) in values.listed:
            return read
        if "string" in values.types and not ("null" in values.types and text.strip() in ("null", "None")):
            return dumps(text)
        return read or dumps(text)

    def _values(self, function: str, parameter: str) -> Values:
        found = self._tools.get(function)
        return found.of(parameter) if found is not None else ANYTHING


class _Parameters:
    """One function's parameters, each looked at when it is first asked for."""

    def __init__(self, tool: Tool) -> None:
        self._text = bytes(tool.parameters)
        self._known: dict[str, Values] = {}

    @cached_property
    def _root(self) -> Any:
        try:
            return json.loads(self._text)
        except (ValueError, RecursionError):
            return None

    def of(self, name: str) -> Values:
        if name not in self._known:
            schemas = [_property(shape, name) for shape in alternatives(self._root, self._root)]
            found = [schema for schema in schemas if schema is not None]
            either = found[0] if len(found) == 1 else {"anyOf": found}
            self._known[name] = Values.of(either, self._root) if found else ANYTHING
        return self._known[name]


def _property(shape: dict[str, Any], name: str) -> Any:
    """Returns the schema of the property ``name``; None where the object ``shape`` says nothing of it."""
    listed, others = shape.get("properties"), shape.get("additionalProperties")
    if isinstance(listed, dict) and name in listed:
        return listed[name]
    return others if isinstance(others, dict) and "patternProperties" not in shape else None


def _literal(text: str) -> str:
    """JSON of a JSON or Python literal; empty for anything else."""
    for read in (from_json, literal):
        try:
            return dumps(read(text))
        except UNREADABLE:
            continue
    return ""

"""Argument values of formats that write them as plain text: typed by the function's JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlxr.models.output.literals import UNREADABLE, dumps, literal
from mlxr.runtime.messages.tokenizer import Tool

TEXT = frozenset({"string"})


class ArgumentTypes:
    """JSON types of every parameter of the functions in ``tools``."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._types = {tool.name: _parameters(tool) for tool in tools}

    def is_text(self, function: str, parameter: str) -> bool:
        """Whether the value can only be a string, so that it may be passed on as it comes."""
        return self._types.get(function, {}).get(parameter) == TEXT

    def encode(self, function: str, parameter: str, text: str) -> str:
        """JSON text of the value written ``text``."""
        types = self._types.get(function, {}).get(parameter, frozenset())
        if "string" in types and not ("null" in types and text.strip() in ("null", "None")):
            return dumps(text)
        return _literal(text.strip()) or dumps(text)


def _literal(text: str) -> str:
    """JSON of a JSON or Python literal; empty for anything else."""
    for read in (json.loads, literal):
        try:
            return dumps(read(text))
        except UNREADABLE:
            continue
    return ""


def _parameters(tool: Tool) -> dict[str, frozenset[str]]:
    try:
        schema = json.loads(bytes(tool.parameters))
    except ValueError:
        return {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return {name: _types(value) for name, value in properties.items()} if isinstance(properties, dict) else {}


def _types(schema: Any) -> frozenset[str]:
    """The types a schema allows, as far as it says; empty where it doesn't."""
    if not isinstance(schema, Mapping):
        return frozenset()
    if isinstance(schema.get("enum"), list):
        return frozenset({"string"}) if all(isinstance(value, str) for value in schema["enum"]) else frozenset()
    declared = schema.get("type")
    if isinstance(declared, str):
        return frozenset({declared})
    if isinstance(declared, list):
        return frozenset(str(each) for each in declared)
    choices = schema.get("anyOf") or schema.get("oneOf")
    return frozenset().union(*map(_types, choices)) if isinstance(choices, list) else frozenset()

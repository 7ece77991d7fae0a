"""Objects that list their properties have no others."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from mlxr.models.constraints import Matcher, Vocabulary
from mlxr.models.constraints.parameters import parameters
from mlxr.models.constraints.schema_normalisation import close_objects
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.vocabulary import END, ByteTokenizer, allowed

A = {"type": "object", "properties": {"a": {"type": "integer"}}}
B = {"type": "object", "properties": {"b": {"type": "integer"}}}
CLOSED_A = {**A, "additionalProperties": False}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(schema)
    close_objects(made)
    return made


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (A, CLOSED_A),
        ({"type": "array", "items": A}, {"type": "array", "items": CLOSED_A}),
        ({"$defs": {"A": A}, "$ref": "#/$defs/A"}, {"$defs": {"A": CLOSED_A}, "$ref": "#/$defs/A"}),
        ({"anyOf": [A, {"type": "null"}]}, {"anyOf": [CLOSED_A, {"type": "null"}]}),
        (
            {"properties": {"properties": A}},
            {"properties": {"properties": CLOSED_A}, "additionalProperties": False},
        ),
        ({"additionalProperties": A}, {"additionalProperties": CLOSED_A}),
    ],
    ids=["top", "items", "definition", "alternative", "a property of that name", "others"],
)
def test_an_object_is_closed_wherever_it_is(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert closed(schema) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {**A, "additionalProperties": True},
        {**A, "patternProperties": {"^x": {}}},
        {**A, "required": ["a", "z"]},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"allOf": [A, B]},
        {**A, "anyOf": [B]},
        {"enum": [A]},
        {**A, "if": B},
    ],
    ids=["open", "patterns", "required", "any", "none", "all of", "beside", "a value", "if"],
)
def test_what_closing_would_change_the_meaning_of_is_left_alone(schema: dict[str, Any]) -> None:
    assert closed(schema) == schema


OPEN = {"type": "object", "properties": {"in": A}, "required": ["in"]}


def test_an_answer_has_the_properties_that_are_listed_and_ends() -> None:
    vocabulary = Vocabulary(ByteTokenizer(), 257)
    matcher = Matcher(vocabulary, Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(OPEN)))
    for token in b'{"in": {"a": 1':
        assert matcher.consume(token), matcher.error
    assert ord(",") not in allowed(matcher, vocabulary)
    for token in b"}}":
        assert matcher.consume(token), matcher.error
    assert allowed(matcher, vocabulary) == [END]


def test_arguments_of_a_tool_are_closed_all_through() -> None:
    schema = parameters(Tool("f", "", json.dumps(OPEN).encode())).schema
    assert (schema["additionalProperties"], schema["properties"]["in"]) == (False, CLOSED_A)

"""Which keywords are held to exactly, and which are left out by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlxr.models.constraints import Matcher, Vocabulary, trial_compile
from mlxr.models.constraints.supported_keywords import rewrite_unsupported
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from tests.models.constraints.vocabulary import END, ByteTokenizer

VOCABULARY = Vocabulary(ByteTokenizer(), 257)


def reason(schema: Any) -> str | None:
    return trial_compile(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema)))


def fits(schema: Any, text: str) -> bool:
    matcher = Matcher(VOCABULARY, Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema)))
    return all(matcher.consume(byte) for byte in text.encode()) and matcher.allows(END)


HUGE = [9223372036854775807, 3.4028234663852886e38, 1.7976931348623157e308, 1e21, 1e18, 10**30, 10**400]


@pytest.mark.parametrize("type", ["integer", "number", ["integer", "null"], ["string", "number"]])
@pytest.mark.parametrize("value", HUGE)
def test_bounds_that_say_nothing_are_no_reason_to_refuse(value: float, type: Any) -> None:
    bounds = ({"minimum": -value}, {"maximum": value}, {"exclusiveMinimum": -value, "exclusiveMaximum": value})
    for each in bounds:
        assert reason({"type": type, **each}) is None
        for number in ("0", "-7", "123456"):
            assert fits({"type": type, **each}, number)


def test_a_bound_is_held_to_beside_one_that_says_nothing() -> None:
    schema = {"type": "integer", "minimum": 3, "maximum": 9223372036854775807}
    assert fits(schema, "3")
    assert not fits(schema, "2")


@pytest.mark.parametrize("bound", [{"minimum": 1e19}, {"type": "integer", "exclusiveMaximum": -(10**20)}])
def test_a_bound_that_says_something_and_can_not_be_held_to_is_refused_by_name(bound: dict[str, Any]) -> None:
    said = reason(bound) or ""
    assert next(key for key in bound if key != "type") in said
    assert "can't be held to" in said


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 1e-300},
        {"type": "number", "maximum": -1e-300, "minimum": -3.3},
        {"type": "number", "exclusiveMinimum": 0.1, "maximum": 1e15},
        {"type": "string", "minLength": -1, "maxLength": 2**70},
        {"type": "string", "maxLength": 1e3, "minLength": 1.0},
        {"type": "array", "maxItems": 2**62, "minItems": 0.0},
        {"type": "object", "maxProperties": 2**80},
        {"type": "number", "multipleOf": 1e-30},
        {"type": "integer", "multipleOf": 1.0, "minimum": None},
    ],
)
def test_bounds_of_any_size_are_taken(schema: dict[str, Any]) -> None:
    assert reason(schema) is None


@pytest.mark.parametrize("multiple", [0, "a", 1e30, 2**40, 99_991])
def test_multiples_that_can_not_be_held_to_are_refused_by_name(multiple: Any) -> None:
    assert "`multipleOf` at '#'" in (reason({"type": "integer", "multipleOf": multiple}) or "")


def test_names_that_are_listed_are_held_to() -> None:
    for names in ({"enum": ["a", "b"]}, {"enum": ["a", "b"], "type": "string"}):
        schema = {"type": "object", "propertyNames": names, "additionalProperties": {"type": "integer"}}
        assert fits(schema, '{"a": 1}')
        assert fits(schema, '{"a": 1, "b": 2}')
        assert not fits(schema, '{"c": 1}')
        assert not fits(schema, '{"a": "x"}')


def test_names_by_a_pattern_are_held_to() -> None:
    schema = {"type": "object", "propertyNames": {"pattern": "^x_"}, "additionalProperties": {"type": "integer"}}
    assert fits(schema, '{"x_1": 1}')
    assert not fits(schema, '{"y": 1}')


UNHELD: list[tuple[dict[str, Any], str]] = [
    ({"type": "array", "uniqueItems": True}, "uniqueItems"),
    ({"not": {"type": "string"}}, "not"),
    ({"if": {"type": "string"}, "then": {"minLength": 1}}, "if"),
    ({"type": "array", "contains": {"type": "integer"}}, "contains"),
    ({"dependentRequired": {"a": ["b"]}}, "dependentRequired"),
    ({"propertyNames": {"maxLength": 3}}, "propertyNames"),
    ({"type": "string", "pattern": "^(?=a)b"}, "pattern"),
    ({"type": "string", "pattern": "a(?<!b)"}, "pattern"),
    ({"type": "string", "pattern": r"(a)\1"}, "pattern"),
    ({"patternProperties": {"(?!x)": {}}}, "patternProperties"),
    ({"type": "string", "format": "json-pointer"}, "format"),
    ({"$dynamicRef": "#a"}, "$dynamicRef"),
    ({"properties": {"a": {}}, "minProperties": 1}, "minProperties"),
    ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, "unevaluatedProperties"),
]

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"type": "string", "pattern": "("}, "pattern"),
    ({"type": "who"}, "type"),
    ({"type": []}, "type"),
    ({"$ref": "#/nowhere"}, "$ref"),
    ({"$ref": "https://example.com/schema"}, "$ref"),
    ({"required": 5}, "required"),
    ({"properties": ["a"]}, "properties"),
    ({"enum": []}, "enum"),
    ({"anyOf": []}, "anyOf"),
    ({"minimum": "a"}, "minimum"),
]


@pytest.mark.parametrize(
    ("schema", "keyword"), UNHELD + MISTAKES, ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.parametrize("where", ["#", "#/properties/in", "#/$defs/in"])
def test_a_keyword_that_can_not_be_held_to_is_refused_by_name_and_place(
    schema: dict[str, Any], keyword: str, where: str
) -> None:
    _, *path = where.split("/")
    whole = {path[0]: {path[1]: schema}} if path else schema
    said = reason(whole) or ""
    assert said.startswith(f"`{keyword}` at '{where}' ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("schema", "keyword"), UNHELD + MISTAKES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_left_when_it_is_taken_out_can_be_held_to(schema: dict[str, Any], keyword: str) -> None:
    left = json.loads(json.dumps({"type": "object", "properties": {"in": schema, "n": {"type": "integer"}}}))
    assert rewrite_unsupported(left)
    assert reason(left) is None
    assert keyword not in json.dumps(left["properties"]["in"])


@pytest.mark.parametrize(("schema", "keyword"), UNHELD, ids=lambda value: value if isinstance(value, str) else "")
def test_what_can_not_be_held_to_is_left_out_of_a_schema_that_is_not_strict(
    schema: dict[str, Any], keyword: str
) -> None:
    whole = {"type": "object", "properties": {"in": schema, "n": {"type": "integer"}}, "required": ["n"]}
    constraint = Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(whole), strict=False)
    assert trial_compile(constraint) is None
    matcher = Matcher(VOCABULARY, constraint)
    assert not all(matcher.consume(byte) for byte in b'{"n": "x')


@pytest.mark.parametrize(("schema", "keyword"), MISTAKES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_is_refused_of_a_schema_that_is_not_strict(schema: dict[str, Any], keyword: str) -> None:
    whole = {"type": "object", "properties": {"in": schema}, "uniqueItems": True}
    said = trial_compile(Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(whole), strict=False))
    assert (said or "").startswith(f"`{keyword}` at '#/properties/in' ")


@pytest.mark.parametrize(
    "schema",
    [
        {"required": None, "properties": None, "items": None, "format": None, "enum": None},
        {"type": "any"},
        {"type": ["any", "null"]},
        {"type": "array", "uniqueItems": False},
        {"then": {"minLength": 1}, "else": {}},
        {"if": {"type": "string"}},
        {"not": False, "dependentRequired": {}, "propertyNames": True},
        {"minContains": 1},
        {"type": "object", "properties": {"a": {}}, "unevaluatedProperties": False},
        {"$schema": "http://json-schema.org/schema#"},
        {"$schema": "foo"},
        {"title": 5, "description": None, "examples": 3, "$comment": []},
        {"properties": {"a": {"type": "integer", "required": True}}},
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "minProperties": 1},
        {"type": "object", "properties": {"next": {"$recursiveRef": "#"}}},
    ],
)
def test_keywords_without_effect_are_no_reason_to_refuse(schema: dict[str, Any]) -> None:
    assert reason(schema) is None


@pytest.mark.parametrize("name", ["path", "int64", "password", "binary"])
def test_a_format_that_json_schema_does_not_know_is_a_note(name: str) -> None:
    assert reason({"type": "array", "items": {"type": ["string", "integer"], "format": name}}) is None


def test_a_property_may_be_named_as_a_keyword_is() -> None:
    names = ("format", "not", "title", "uniqueItems", "$ref")
    schema = {"type": "object", "properties": {name: {"type": "string", "format": "date"} for name in names}}
    before = json.loads(json.dumps(schema))
    assert rewrite_unsupported(schema) == []
    assert schema == before


def test_a_schema_may_be_named_in_words() -> None:
    assert reason({"$id": "Output Format", "$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}) is None


def test_a_name_that_is_referred_to_stays() -> None:
    schema = {"$id": "urn:a", "$defs": {"n": {"type": "integer"}}, "items": {"$ref": "urn:a#/$defs/n"}}
    assert rewrite_unsupported(schema) == []
    assert schema["$id"] == "urn:a"
    assert reason(schema) is None

"""Calls follow their tools' schemas, however these are put, in every family's format."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from mlxr.models.chat import choose_parser
from mlxr.models.constraints import (
    ConstraintError,
    Matcher,
    ToolError,
    Vocabulary,
    force_tools,
    offer_tools,
    trial_compile,
)
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.test_tool_calls import TEMPLATES
from tests.models.constraints.vocabulary import END, ByteTokenizer, walk
from tests.models.output.answers import calls, merged, source

TOKENIZER = ByteTokenizer()
VOCABULARY = Vocabulary(TOKENIZER, TOKENIZER.vocab_size)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ZIP = {"type": "object", "properties": {"zip": {"type": "integer"}}, "required": ["zip"]}


def tool(schema: Any, name: str = "f", *, strict: bool = False) -> Tool:
    return Tool(name, "", json.dumps(schema).encode(), strict)


def called(template: str, tools: list[Tool], seed: int, choice: str = "required") -> tuple[str, dict[str, Any]]:
    """Name and arguments of a call that random bytes under the masks make."""
    constraint = force_tools(source(template), tools, TOKENIZER, choice=choice, parallel=False)
    text = TOKENIZER.decode(walk(Matcher(VOCABULARY, constraint), VOCABULARY, seed))
    parser = choose_parser(source(template), tools)
    ((name, arguments),) = calls(merged(parser.push(text) + parser.finish()))
    return name, json.loads(arguments)


def takes(tools: list[Tool], text: str, template: str = "qwen3-coder") -> bool:
    matcher = Matcher(VOCABULARY, force_tools(source(template), tools, TOKENIZER, parallel=False))
    return all(matcher.consume(byte) for byte in text.encode()) and matcher.allows(END)


def tagged(**values: str) -> str:
    inner = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in values.items())
    return f"<tool_call>\n<function=f>\n{inner}</function>\n</tool_call>"


ROOTS = {
    "ref": {"$ref": "#/$defs/A", "$defs": {"A": CITY}},
    "definitions": {"$ref": "#/definitions/A", "definitions": {"A": CITY}},
    "ref of ref": {"$ref": "#/$defs/B", "$defs": {"A": CITY, "B": {"$ref": "#/$defs/A"}}},
    "ref and type": {"type": "object", "$ref": "#/$defs/A", "$defs": {"A": CITY}},
    "anyOf": {"anyOf": [CITY, ZIP]},
    "oneOf with null": {"oneOf": [CITY, {"type": "null"}]},
    "anyOf of refs": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": {"A": CITY, "B": ZIP}},
    "allOf": {"allOf": [CITY, {"type": "object", "properties": {"n": {"type": "integer"}}}]},
    "allOf of one ref": {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": CITY}},
    "nullable": {**CITY, "type": ["object", "null"]},
    "no type": {key: value for key, value in CITY.items() if key != "type"},
    "any": {**CITY, "type": "any"},
    "nulls": {**CITY, "description": None, "additionalProperties": None},
}


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_schema_is_followed_whatever_its_root(template: str, root: str) -> None:
    for seed in range(2):
        _, arguments = called(template, [tool(ROOTS[root])], seed)
        assert type(arguments.get("city")) is str or ("anyOf" in root and type(arguments["zip"]) is int)


UNHELD = {
    "uniqueItems": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "not": {"not": {"type": "string"}},
    "if": {"type": "string", "if": {"minLength": 1}, "then": {"maxLength": 3}},
    "propertyNames": {"type": "object", "propertyNames": {"maxLength": 3}},
    "look-ahead": {"type": "string", "pattern": "^(?!x)a"},
    "look-behind": {"type": "string", "pattern": "a(?<=b)c"},
    "back reference": {"type": "string", "pattern": r"(a)\1"},
    "format": {"type": "string", "format": "json-pointer"},
    "contains": {"type": "array", "contains": {"type": "integer"}},
}
KEYWORD = {"look-ahead": "pattern", "look-behind": "pattern", "back reference": "pattern"}


@pytest.mark.parametrize("keyword", UNHELD)
@pytest.mark.parametrize("template", ["qwen3", "qwen3-coder", "llama-3", "gpt-oss"])
def test_what_can_not_be_held_to_is_left_free_and_the_rest_held_to(template: str, keyword: str) -> None:
    schema = {"type": "object", "properties": {"x": UNHELD[keyword], "n": {"type": "integer"}}, "required": ["x", "n"]}
    tools = [tool(CITY, "good"), tool(schema)]
    for choice in ("required", "f", "good"):
        name, arguments = called(template, tools, 1, choice)
        assert {"f": {"x", "n"}, "good": {"city"}}[name] <= set(arguments)
        assert type(arguments.get("n", 0)) is int
    constraint = offer_tools(source(template), [*tools, tool(ZIP, "z", strict=True)], TOKENIZER, None, parallel=False)
    assert trial_compile(constraint, VOCABULARY) is None


@pytest.mark.parametrize("keyword", UNHELD)
def test_a_strict_tool_that_can_not_be_held_to_is_named_with_its_keyword(keyword: str) -> None:
    schema = {"type": "object", "properties": {"x": UNHELD[keyword]}}
    with pytest.raises(ConstraintError) as raised:
        force_tools(source("qwen3"), [tool(CITY, "good"), tool(schema, strict=True)], TOKENIZER, choice="required")
    said = str(raised.value)
    key = KEYWORD.get(keyword, keyword)
    assert said.startswith(f"the tool 'f' is strict, and `{key}` at '#/properties/x' ")
    assert "start:" not in said
    assert "\n" not in said


@pytest.mark.parametrize("keyword", UNHELD)
def test_what_a_tool_leaves_out_is_named_by_its_place_in_the_request(keyword: str) -> None:
    schema = {"type": "object", "properties": {"x": UNHELD[keyword]}}
    tools = [replace(tool(CITY, "good"), field="tools[0]"), replace(tool(schema), field="tools[1].parameters")]
    made = force_tools(source("qwen3"), tools, TOKENIZER)
    places = [f"tools[1].parameters#/properties/x/{key}" for key in (KEYWORD.get(keyword, keyword), "then")]
    assert list(made.unheld) == (places if keyword == "if" else places[:1])


def test_a_tool_that_is_left_out_as_a_whole_is_named() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5, "maximum": 3}}, "required": ["n"]}
    made = force_tools(source("qwen3"), [replace(tool(schema), field="tools[0].parameters")], TOKENIZER)
    assert made.unheld == ("tools[0].parameters#",)


def test_a_strict_tool_that_no_call_fits_is_named() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5, "maximum": 3}}, "required": ["n"]}
    with pytest.raises(ConstraintError, match=r"'f' is strict, and can't be held to: .*'n'"):
        force_tools(source("qwen3"), [tool(schema, strict=True)], TOKENIZER)
    assert called("qwen3", [tool(schema)], 1)[0] == "f"


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "schema",
    [
        {**CITY, "required": None},
        {"type": "object", "properties": None},
        *(None, True, {}, {"type": "object"}),
        {"type": "object", "properties": {"a": {"type": None}, "b": None, "c": {"type": "any", "required": True}}},
        {"type": "object", "properties": {"b": {"$ref": "#"}, "c": {"$ref": "#/properties/c"}}},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"type": "object", "properties": {"a>b": {}, "": {}, "c\nd": {"type": "string"}}},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_a_schema_of_an_older_draft_or_with_nulls_in_it_is_read_leniently(template: str, schema: Any) -> None:
    made = force_tools(source(template), [tool(schema), tool(CITY, "good")], TOKENIZER)
    assert trial_compile(made) is None
    choose_parser(source(template), [tool(schema)]).push(tagged(a="1", b="x"))


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        *(({**CITY, "required": value}, "`required` at '#'") for value in (5, "city", [5], {"city": True})),
        *(({"properties": value}, "`properties` at '#'") for value in (["city"], 5)),
        ({"properties": {"a": 5}}, "'#/properties/a' is no schema"),
        ({"properties": {"a": {"enum": 5}}}, "`enum` at '#/properties/a'"),
        ({"properties": {"a": {"anyOf": 5}}}, "`anyOf` at '#/properties/a'"),
        ({"properties": {"a": {"type": "dict"}}}, "`type` at '#/properties/a'"),
        ({"properties": {"a": {"$ref": "#/nowhere"}}}, "`$ref` at '#/properties/a'"),
        ({"properties": {"a": {"$ref": 5}}}, "`$ref` at '#/properties/a'"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_mistake_in_a_schema_is_refused_with_the_tools_name(schema: Any, place: str, strict: bool) -> None:
    """As OpenAI and Anthropic do, and as of an output format."""
    tools = [tool(CITY, "good"), replace(tool({"not": {"type": "null"}, **schema}, strict=strict), field="tools[1]")]
    with pytest.raises(ToolError, match=f"^parameters of the tool 'f': {re.escape(place)}") as raised:
        force_tools(source("qwen3-coder"), tools, TOKENIZER)
    assert raised.value.field == "tools[1]"


@pytest.mark.parametrize("schema", [[], 5, "x", {"type": "array"}, {"type": ["string"]}, {"type": 5}])
def test_what_is_not_the_schema_of_an_object_is_refused_with_the_tools_name(schema: Any) -> None:
    with pytest.raises(ConstraintError, match=r"of the tool 'f'.* not the schema of an object"):
        force_tools(source("qwen3-coder"), [tool(schema)], TOKENIZER)


def test_parameters_that_are_not_listed_may_follow_where_the_schema_is_open() -> None:
    numbers = tool({**CITY, "additionalProperties": {"type": "integer"}})
    assert takes([numbers], tagged(city="Rome"))
    assert takes([numbers], tagged(city="Rome", cab="5"))
    assert not takes([numbers], tagged(city="Rome", cab="five"))
    assert not takes([numbers], tagged(city="Rome", other="5").replace("other", "city"))
    anything = tool({"type": "object", "additionalProperties": True})
    assert takes([anything], tagged(a="some\ntext", b="5"))
    assert takes([tool({"type": "object", "properties": {}, "additionalProperties": {}})], tagged(a="b"))
    assert not takes([tool(CITY)], tagged(city="Rome", other="5"))


def test_parameters_by_a_pattern_have_names_that_fit_it() -> None:
    schema = {"type": "object", "patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": False}
    assert takes([tool(schema)], tagged(x_a="5"))
    assert not takes([tool(schema)], tagged(y="5"))
    assert takes([tool({**schema, "additionalProperties": True})], tagged(y="5"))


LIMITS: list[tuple[Any, list[str], list[str]]] = [
    ({"type": "string", "maxLength": 3}, ["abc", "", "a\nb"], ["abcd"]),
    ({"type": "string", "minLength": 2, "maxLength": 4}, ["ab", "abcd"], ["a", "abcde"]),
    ({"type": "string", "pattern": "^[a-z]+$"}, ["abc"], ["A", "a1"]),
    ({"type": "string", "pattern": "[0-9]/"}, ["x1/y"], ["xy"]),
    ({"type": "string", "pattern": "^a", "maxLength": 3}, ["abc"], ["abcd", "b"]),
    ({"enum": ["x", 1, None, "p q", True]}, ["x", "1", "null", "p q", "true"], ["y", "2", '"x"']),
    ({"const": "5"}, ["5"], ["6", '"5"']),
    ({"type": ["string", "null"], "maxLength": 2}, ["ab", "null"], ["abc"]),
    ({"anyOf": [{"type": "string", "maxLength": 2}, {"type": "null"}]}, ["ab", "null"], ["abc"]),
    ({"anyOf": [{"const": "all"}, {"type": "string", "pattern": "^[0-9]+$"}]}, ["all", "12"], ["some"]),
    ({"$ref": "#/$defs/S"}, ["ab"], ["abc"]),
    ({"allOf": [{"$ref": "#/$defs/S"}], "title": "S"}, ["ab"], ["abc"]),
    ({"type": "array", "items": {"$ref": "#/$defs/S"}}, ['["ab"]', "[]"], ['["abc"]', "ab"]),
    ({"$ref": "#/$defs/T"}, ['{"next": {}}', "{}"], ['{"next": 5}']),
    ({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "string", "pattern": "^x+$"}]}, ["a", "xxx"], ["ab"]),
    ({"type": "string", "pattern": "^a|b$"}, ["abc", "cb"], []),
    ({}, ["anything", "5"], []),
    ({"type": ["integer", "null"]}, ["5", "null"], ["x"]),
]
DEFINITIONS = {
    "S": {"type": "string", "maxLength": 2},
    "T": {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}},
}


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize(("schema", "good", "bad"), LIMITS, ids=lambda value: json.dumps(value)[:50])
def test_text_is_held_to_a_strings_limits(schema: Any, good: list[str], bad: list[str], control: bool) -> None:
    tools = [tool({"type": "object", "properties": {"a": schema}, "required": ["a"], "$defs": DEFINITIONS})]
    tokenizer = ByteTokenizer(["</parameter>"] if control else [])
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    constraint = force_tools(source("qwen3-coder"), tools, tokenizer, parallel=False)
    for value in (*good, *bad):
        matcher = Matcher(vocabulary, constraint)
        before, after = tagged(a=value).split("</parameter>")
        tokens = [*before.encode(), *tokenizer.encode("</parameter>"), *after.encode()]
        assert (all(map(matcher.consume, tokens)) and matcher.allows(END)) == (value in good), value


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"const": "5"}, "5", "5"),
        ({"enum": ["1", 2, None]}, "1", "1"),
        ({"enum": ["1", 2, None]}, "2", 2),
        ({"enum": ["1", 2, None]}, "null", None),
        ({"$ref": "#/$defs/S"}, "5", "5"),
        ({"allOf": [{"$ref": "#/$defs/S"}]}, "5", "5"),
        ({"anyOf": [{"$ref": "#/$defs/S"}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"type": "string"}, {}]}, "5", 5),
        ({"type": "integer"}, "5", 5),
        ({"$ref": "#/nowhere"}, "5", 5),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_text_is_read_as_what_the_schema_says_through_its_references(schema: Any, text: str, value: Any) -> None:
    for root in ({"properties": {"a": schema}}, {"$ref": "#/$defs/R"}):
        definitions = {"S": {"type": "string"}, "R": {"properties": {"a": schema}}}
        types = ArgumentTypes([tool({**root, "$defs": definitions})])
        assert json.loads(types.encode("f", "a", text)) == value


def test_a_dict_with_literal_keys_has_these_and_no_others() -> None:
    schema = {
        "type": "object",
        "properties": {
            "m": {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"type": "integer"}}
        },
        "required": ["m"],
    }
    for strict in (False, True):
        tools = [tool(schema, strict=strict)]
        assert takes(tools, tagged(m='{"a": 1}'))
        assert not takes(tools, tagged(m='{"c": 1}'))
    plain = Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(schema))
    assert trial_compile(plain, VOCABULARY) is None

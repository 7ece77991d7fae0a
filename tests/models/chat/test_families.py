"""Whoever reads calls also writes them: what a family's grammar allows, its parser reads back to the same call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mlxr.models.chat import choose_parser
from mlxr.models.chat.families import DEFAULT, FAMILIES, Family, family_of, reasons
from mlxr.models.constraints import Matcher, Vocabulary, force_tools, offer_tools, trial_compile
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.vocabulary import END, ByteTokenizer, walk
from tests.models.output.answers import calls, content, merged

CLOSERS = ("</parameter>", "</arg_value>", "<escape>", '<|"|>', "<|end|>")
"""Markers that random bytes would hardly ever spell."""


def forms() -> Iterator[tuple[Family, str]]:
    """Every form that a family writes, with a template that has it."""
    for family in FAMILIES:
        seen = []
        for signs in family.signs:
            for wanted, _ in family.formats:
                source = "\n".join([*signs, *wanted])
                if family.call_format(source) not in seen:
                    seen.append(family.call_format(source))
                    yield family, source


FORMS = list(forms())
IDS = [f"{family.name} {source!r}" for family, source in FORMS]
SOURCES = [source for _, source in FORMS]


def tools_of(schema: Any) -> list[Tool]:
    """The function ``f`` with arguments of ``schema``."""
    return [Tool("f", "", json.dumps(schema).encode())]


def called(source: str, schema: Any, seed: int, *, control: bool = False, offered: bool = False) -> Any:
    """The arguments of a call of ``f`` that random bytes under the masks make."""
    tools = tools_of(schema)
    markers = choose_parser(source, tools).markers
    tokenizer = ByteTokenizer([each for each in markers if each.endswith((">", "]"))] if control else [])
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    constraint = force_tools(source, tools, tokenizer, parallel=False)
    closers = [each.encode() for each in CLOSERS if each in markers]
    text = tokenizer.decode(walk(Matcher(vocabulary, constraint), vocabulary, seed, closers=closers))
    if offered:
        matcher = Matcher(vocabulary, offer_tools(source, tools, tokenizer, parallel=False))
        assert all(matcher.consume(byte) for byte in text.encode()), matcher.error
        assert matcher.allows(END)
    parser = choose_parser(source, tools)
    events = merged(parser.push(text) + parser.finish())
    assert content(events) == ""
    assert not parser.open_call
    ((name, arguments),) = calls(events)
    assert name == "f"
    return json.loads(arguments)


def only(value: Any) -> Any:
    """A schema that ``value`` alone fits."""
    if isinstance(value, dict):
        inner = {key: only(each) for key, each in value.items()}
        return {"type": "object", "properties": inner, "required": list(inner), "additionalProperties": False}
    return {"const": value}


CALLS: list[dict[str, Any]] = [
    {},
    {"city": "Paris"},
    {"b": 'a "quoted" \\ back', "a": "two\nlines", "C": "é日本 🙂"},
    {"text": "", "spaces": " around ", "braces": "{a: [1, 2]}, and more", "tag": "<b>1 < 2</b>"},
    {"like a number": "5", "like_null": "null", "like_true": "true"},
    {"n": 5, "negative": -12, "fraction": 2.5, "yes": True, "no": False, "nothing": None},
    {"nested": {"deep": {"text": "x, y", "n": 1}, "flag": False}},
]
"""Arguments that every family can write."""


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_the_one_call_that_fits_is_read_as_it_was_meant(source: str, control: bool) -> None:
    for arguments in CALLS:
        assert called(source, only(arguments), 1, control=control) == arguments


OPEN = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "short": {"type": "string", "maxLength": 4},
        "code": {"type": "string", "pattern": "^[a-z]{2}-[0-9]+$"},
        "n": {"type": "integer", "minimum": 3, "maximum": 40},
        "x": {"type": "number"},
        "unit": {"enum": ["C", "F", 7, None]},
        "tags": {"type": "array", "items": {"enum": ["a", "b, c"]}, "minItems": 2, "maxItems": 3},
        "place": {
            "type": "object",
            "properties": {"street": {"type": "string", "maxLength": 9}, "number": {"type": "integer"}},
            "required": ["number"],
        },
        "tree": {"$ref": "#/$defs/tree"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["code", "n", "place", "tags", "tree", "unit"],
    "additionalProperties": {"type": "boolean"},
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"sub": {"$ref": "#/$defs/tree"}, "leaf": {"type": "boolean"}},
            "required": ["leaf"],
        }
    },
}


def is_tree(value: Any) -> bool:
    return (
        type(value["leaf"]) is bool
        and value.keys() <= {"leaf", "sub"}
        and ("sub" not in value or is_tree(value["sub"]))
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_whatever_the_grammar_allows_is_read_as_a_call_that_fits_its_schema(source: str, seed: int) -> None:
    found = called(source, OPEN, seed, control=bool(seed % 2), offered=not seed % 2)
    assert found.keys() >= {"code", "n", "place", "tags", "tree", "unit"}
    assert found["code"][2] == "-"
    assert found["code"][3:].isdecimal()
    assert 3 <= found["n"] <= 40
    assert found["unit"] in ("C", "F", 7, None)
    assert 2 <= len(found["tags"]) <= 3
    assert set(found["tags"]) <= {"a", "b, c"}
    assert type(found["place"]["number"]) is int
    assert found["place"].keys() <= {"street", "number"}
    assert is_tree(found["tree"])
    assert isinstance(found.get("text", ""), str)
    assert len(found.get("short", "")) <= 4
    assert type(found.get("x", 0)) in (int, float)
    assert type(found.get("either")) in (int, type(None))
    assert all(type(value) is bool for key, value in found.items() if key not in OPEN["properties"])  # type: ignore[operator]


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_a_string_with_the_familys_own_markers_is_written_only_where_it_can_be_read(
    source: str,
) -> None:
    markers = choose_parser(source, [Tool("f")]).markers
    texts = [text for marker in markers for text in (marker, f"a{marker}b")]
    for control in (False, True):
        found = called(
            source, {"properties": {"x": {"enum": [*texts, "plain"]}}, "required": ["x"]}, 2, control=control
        )
        assert found["x"] in (*texts, "plain")


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_parameters_of_a_tool_without_a_schema_may_be_anything(source: str) -> None:
    for seed in range(3):
        assert isinstance(called(source, {"type": "object", "additionalProperties": True}, seed), dict)
    assert called(source, {"type": "object", "properties": {}, "additionalProperties": False}, 0) == {}


@pytest.mark.parametrize(("family", "source"), FORMS, ids=IDS)
def test_a_family_is_told_by_its_signs(family: Family, source: str) -> None:
    assert family_of(source) is family
    assert family.formats[-1][0] == ()


def test_a_template_of_no_family_is_prompted_in_the_hermes_form() -> None:
    assert family_of("{{ messages }}") is DEFAULT
    assert not reasons("{{ messages }}")


def test_glm_breaks_lines_where_its_template_does() -> None:
    schema = only({"city": "Paris"})
    tools = tools_of(schema)
    tokenizer = ByteTokenizer()
    for source, space in (("<arg_key>k</arg_key>\n<arg_value>", "\n"), ("<arg_key>k</arg_key><arg_value>", "")):
        vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
        matcher = Matcher(vocabulary, force_tools(source, tools, tokenizer, parallel=False))
        pieces = ["<tool_call>f", "<arg_key>city</arg_key>", "<arg_value>Paris</arg_value>", "</tool_call>"]
        assert all(matcher.consume(byte) for byte in space.join(pieces).encode())
        assert matcher.allows(END)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "<start_function_call>",
            "<start_function_call>call:f{a:[1,<escape>x<escape>],b:<escape>y<escape>}<end_function_call>",
        ),
        ("<|tool_call>", '<|tool_call>call:f{a:[1,<|"|>x<|"|>],b:<|"|>y<|"|>}<tool_call|>'),
    ],
)
def test_gemma_calls_in_its_own_notation_with_its_keys_sorted(source: str, text: str) -> None:
    schema = {"properties": {"b": {"type": "string"}, "a": {"type": "array"}}, "required": ["a", "b"]}
    tools = tools_of(schema)
    tokenizer = ByteTokenizer()
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    matcher = Matcher(vocabulary, force_tools(source, tools, tokenizer, parallel=False))
    assert all(matcher.consume(byte) for byte in text.encode()), matcher.error
    assert matcher.allows(END)


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_a_schema_that_nests_deeply_or_lists_much_is_written_within_limits(source: str) -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"a": deep}}
    many = {
        "type": "object",
        "properties": {f"p{i}": {"type": "object", "properties": {f"q{i}": {}}} for i in range(60)},
    }
    for schema in (deep, many):
        tools = tools_of(schema)
        assert trial_compile(force_tools(source, tools, ByteTokenizer())) is None


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_a_list_has_as_many_items_as_its_schema_says(source: str) -> None:
    items = {"type": "array", "items": {"const": 1}, "minItems": 70, "maxItems": 70}
    schema = {"type": "object", "properties": {"x": items}, "required": ["x"]}
    assert called(source, schema, 0) == {"x": [1] * 70}

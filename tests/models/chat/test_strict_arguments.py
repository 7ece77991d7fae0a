"""A call's arguments are held to their schema's keywords in every family's notation, as JSON is."""

from __future__ import annotations

import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from mlxr.models.chat import choose_parser
from mlxr.models.chat.call_forms.string_formats import STRING_FORMATS
from mlxr.models.constraints import Matcher, Vocabulary, force_tools
from mlxr.models.constraints.string_keywords import FORMATS
from tests.models.chat.test_families import IDS, SOURCES, called, tools_of
from tests.models.constraints.vocabulary import END, ByteTokenizer
from tests.models.output.answers import calls, merged


def is_host(text: str) -> bool:
    return all(0 < len(label) < 64 and label[0] != "-" != label[-1] for label in text.split("."))


def usual(text: str) -> str:
    """A date and time without what Python does not read: leap days, leap seconds, fractions, lower case."""
    return re.sub(r"\.\d+", "", text.upper()).replace("-02-29", "-02-28").replace(":60", ":59")


VALID: dict[str, Callable[[str], Any]] = {
    "date": lambda text: date.fromisoformat(usual(text)),
    "time": lambda text: datetime.fromisoformat("2024-01-31T" + usual(text)),
    "date-time": lambda text: datetime.fromisoformat(usual(text)),
    "duration": lambda text: text[0] == "P" and text[-1] in "YMDWHS",
    "email": lambda text: text.count("@") == 1 and is_host(text.partition("@")[2]),
    "hostname": is_host,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uri": lambda text: urlsplit(text).scheme and not re.search(r"[\s<>\"{}|\\^`]", text),
    "uuid": uuid.UUID,
}
"""Raises, or is false, for what is not of the format."""


def of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False}


def test_every_format_that_json_is_held_to_is_known() -> None:
    assert STRING_FORMATS.keys() == FORMATS == VALID.keys()


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
@pytest.mark.parametrize("format", sorted(FORMATS))
def test_a_string_is_of_its_format(source: str, format: str) -> None:
    for seed in range(2):
        found = called(source, of({"type": "string", "format": format}), seed, control=bool(seed))["x"]
        assert VALID[format](found), found


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "string", "minLength": 3, "maxLength": 5}, lambda x: 3 <= len(x) <= 5),
        ({"type": "string", "pattern": "^[0-9]+$", "maxLength": 4}, lambda x: x.isdecimal() and len(x) <= 4),
        ({"type": "integer", "exclusiveMinimum": 3, "maximum": 7}, lambda x: 3 < x <= 7),
        ({"type": "number", "minimum": 0.5, "exclusiveMaximum": 1}, lambda x: 0.5 <= x < 1),
        ({"type": "integer", "multipleOf": 5, "minimum": 1, "maximum": 20}, lambda x: x in (5, 10, 15, 20)),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}, lambda x: 2 <= len(x) <= 3),
        (
            {
                "type": "array",
                "prefixItems": [{"const": "a"}, {"type": "integer"}],
                "items": {"const": True},
                "minItems": 3,
                "maxItems": 4,
            },
            lambda x: x[0] == "a" and type(x[1]) is int and 3 <= len(x) <= 4 and set(x[2:]) == {True},
        ),
        ({"type": "array", "items": {"const": 1}, "maxItems": 1}, lambda x: x in ([], [1])),
        ({"type": "array", "prefixItems": [{"const": "a"}], "items": False, "minItems": 1}, lambda x: x == ["a"]),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2, "maxProperties": 3},
            lambda x: type(x) is dict and 1 <= len(x) <= 3 and {type(each) for each in x.values()} == {int},
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_a_value_is_held_to_its_bounds_and_counts(source: str, schema: dict[str, Any], fits: Any) -> None:
    for seed in range(3):
        found = called(source, of(schema), seed)["x"]
        assert fits(found), found


GEMMA = "<start_function_call>"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "array", "items": {"const": 1}, "maxItems": 1}, ["[]", "[1]"], ["[1,1]"]),
        ({"type": "array", "items": {"const": 1}, "minItems": 1, "maxItems": 1}, ["[1]"], ["[]", "[1,1]"]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, ["[]", "[1]", "[1,2]", "[1,2,3]"], ["[2]"]),
        ({"type": "object", "additionalProperties": {"const": 1}, "maxProperties": 1}, ["{}", "{a:1}"], ["{a:1,b:1}"]),
        ({"type": "object", "additionalProperties": {"const": 1}, "minProperties": 2}, ["{a:1,b:1}"], ["{}", "{a:1}"]),
        ({"type": "object", "additionalProperties": {"const": 1}, "maxProperties": 0}, ["{}"], ["{a:1}"]),
        ({"type": "string", "format": "date"}, ["<escape>2024-02-28<escape>"], ["<escape>2024-13-01<escape>"]),
    ],
    ids=str,
)
def test_gemmas_notation_takes_what_fits_and_nothing_else(schema: Any, good: list[str], bad: list[str]) -> None:
    tokenizer = ByteTokenizer()
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    for text in (*good, *bad):
        matcher = Matcher(vocabulary, force_tools(GEMMA, tools_of(of(schema)), tokenizer, parallel=False))
        call = f"{GEMMA}call:f{{x:{text}}}<end_function_call>"
        assert (all(matcher.consume(byte) for byte in call.encode()) and matcher.allows(END)) == (text in good), text


TAGGED = {
    "<parameter=": "<tool_call>\n<function=f>\n<parameter=x>\n{}\n</parameter>\n</function>\n</tool_call>",
    "<arg_key>": "<tool_call>f<arg_key>x</arg_key><arg_value>{}</arg_value></tool_call>",
}


@pytest.mark.parametrize("source", TAGGED)
@pytest.mark.parametrize("value", [{"a": "</parameter>"}, ["</arg_value></tool_call>"], {"a": ["\n</parameter>\n"]}])
def test_a_tag_in_a_string_of_an_object_ends_nothing(source: str, value: Any) -> None:
    text = TAGGED[source].replace("{}", json.dumps(value))
    for pieces in ([text], list(text)):
        parser = choose_parser(source, tools_of(of({"type": ["object", "array"]})))
        events = merged([event for piece in pieces for event in parser.push(piece)] + parser.finish())
        ((_, arguments),) = calls(events)
        assert json.loads(arguments) == {"x": value}


def test_lfm_calls_in_pythons_notation_where_that_has_names_for_it() -> None:
    schema = of({"type": ["string", "boolean", "array", "null"], "items": {"type": "integer"}})
    tokenizer = ByteTokenizer()
    vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)
    source = "<|tool_call_start|>"
    values = {
        '"a/b"': "a/b",
        "True": True,
        "None": None,
        "[1, 2]": [1, 2],
    }
    for text, value in values.items():
        matcher = Matcher(vocabulary, force_tools(source, tools_of(schema), tokenizer, parallel=False))
        call = f"<|tool_call_start|>[f(x={text})]<|tool_call_end|>"
        assert all(matcher.consume(byte) for byte in call.encode()), text
        parser = choose_parser(source, tools_of(schema))
        ((_, arguments),) = calls(merged(parser.push(call) + parser.finish()))
        assert json.loads(arguments) == {"x": value}
    named = {"type": "object", "properties": {"class": {"type": "integer"}}, "required": ["class"]}
    matcher = Matcher(vocabulary, force_tools(source, tools_of(named), tokenizer, parallel=False))
    call = '<|tool_call_start|>[{"name": "f", "arguments": {"class": 1}}]<|tool_call_end|>'
    assert all(matcher.consume(byte) for byte in call.encode())


def test_strings_of_pythons_notation_may_have_jsons_escapes() -> None:
    parser = choose_parser("<|tool_call_start|>", tools_of(of({"type": "string"})))
    call = r'<|tool_call_start|>[f(x="\ud83d\ude00 \/ \\/")]<|tool_call_end|>'
    ((_, arguments),) = calls(merged(parser.push(call) + parser.finish()))
    assert json.loads(arguments) == {"x": "\N{GRINNING FACE} / \\/"}

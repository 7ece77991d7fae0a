"""JSON taken in pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.models.output.json_scanner import JsonScanner

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def scan(pieces: list[str]) -> tuple[str, JsonScanner, str]:
    """The JSON that came out, the scanner, and the text left over."""
    scanner, out, rest = JsonScanner(), "", ""
    for piece in pieces:
        rest += piece
        at, text = scanner.feed(rest, 0)
        rest, out = rest[at:], out + text
    return out + scanner.finish(), scanner, rest


@settings(max_examples=60, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_comes_out_as_it_is(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    for pieces in ([text], list(text)):
        out, scanner, rest = scan(pieces)
        assert json.loads(out) == value
        assert scanner.done
        assert rest == ""


def test_what_follows_the_value_is_left_alone() -> None:
    assert scan(['{"a": 1}', "</tool_call>"])[2] == "</tool_call>"


@settings(max_examples=60, deadline=None)
@given(VALUES, st.data())
def test_a_value_that_breaks_off_can_always_be_closed(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value)
    scanner = JsonScanner()
    _, out = scanner.feed(text[: data.draw(st.integers(0, len(text)))], 0)
    json.loads(out + ("" if scanner.done else scanner.close()))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": True, "b": None}', {"a": True, "b": None}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('"two\nlines"', "two\nlines"),
        (r'"C:\dir \_x"', "C:dir _x"),
        (r'"\ud83d\ude00 \ud83d x \ude00"', "\U0001f600 \ufffd x \ufffd"),
    ],
)
def test_plain_mistakes_are_put_right(text: str, value: Any) -> None:
    for pieces in ([text], list(text)):
        assert json.loads(scan(pieces)[0]) == value


@pytest.mark.parametrize("text", ["{'a': 1}", "{a: 1}", '{"a" 1}', "[1 2]", "nil ", '"\\uzzzz"', "[" * 300, "01 "])
def test_what_is_no_json_fails(text: str) -> None:
    _, scanner, _ = scan([text])
    assert scanner.failed

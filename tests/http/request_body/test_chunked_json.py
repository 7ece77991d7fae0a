"""Large bodies are decoded in chunks, to the same values and with the same complaints as in one go."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlxr.http.fields import Fields
from mlxr.http.openai.schema import ChatRequest, CompletionRequest
from mlxr.http.request_body.chunked_json import CHUNK, decode_chunked
from mlxr.http.request_body.decode import Parser, decode
from mlxr.http.request_body.json_scan import count_values
from mlxr.http.request_body.unknown_fields import finder
from mlxr.runtime.errors import RequestError

TEXT = st.text() | st.text(st.sampled_from('\\"{}[],:\n/é😀 a'), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}, optional={"y": VALUES, "cache_control": VALUES}),
    max_size=4,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": TEXT | PARTS}, optional={"x": VALUES}
    ),
    min_size=1,
    max_size=5,
)
CHATS = st.fixed_dictionaries(
    {"model": TEXT, "messages": MESSAGES},
    optional={
        "chat_template_kwargs": st.dictionaries(TEXT, VALUES, max_size=3),
        "logit_bias": st.dictionaries(st.text("0123456789", min_size=1), st.integers(-5, 5), max_size=5),
        "stop": TEXT | st.lists(TEXT, max_size=4),
        "unknown": VALUES,
    },
)
IDS = st.lists(st.integers(0, 9999), min_size=1, max_size=30)
PROMPTS = st.fixed_dictionaries(
    {"model": TEXT, "prompt": TEXT | IDS | st.lists(TEXT, min_size=1) | st.lists(IDS, min_size=1)}
)


def outcome(decoding: Any, raw: bytes) -> Any:
    try:
        return decoding(raw)
    except RequestError as error:
        return error.info.param, error.info.code


def written(value: Any, ascii: bool, indent: int | None) -> bytes:
    text = json.dumps(value, ensure_ascii=ascii, indent=indent)
    return text.encode("utf-8", "replace")


@settings(deadline=None, max_examples=150)
@given(
    body=st.tuples(st.just(ChatRequest), CHATS) | st.tuples(st.just(CompletionRequest), PROMPTS),
    chunk=st.sampled_from([1, 7, 30, 200]),
    ascii=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
def test_chunks_make_the_same_value(
    body: tuple[type[Fields], Any], chunk: int, ascii: bool, indent: int | None
) -> None:
    kind, value = body
    raw = written(value, ascii, indent)
    made, unknown = decode_chunked(raw, kind, chunk)
    assert made == msgspec.json.decode(raw, type=kind)
    found: list[str] = []
    if find := finder(kind):
        find(json.loads(raw), "", found)
    assert sorted(unknown) == sorted(found)


HALVES = [r"\ud83d", r"\uDE00", r"\ud83d\ude00", r"\\ud83d", r"\\", r"\n", r"\u00e9", "é", "a"]
"""Pieces of a string in JSON, among them halves of a pair of surrogates."""


@settings(deadline=None, max_examples=150)
@given(pieces=st.lists(st.sampled_from(HALVES), max_size=12), chunk=st.sampled_from([1, 7, 30, CHUNK]))
def test_half_a_pair_of_surrogates_is_a_replacement_character(pieces: list[str], chunk: int) -> None:
    text = "".join(pieces)
    raw = f'{{"model": "m", "prompt": "{text}"}}'.encode()
    units = json.loads(f'"{text}"').encode("utf-16-le", "surrogatepass")
    expected = units.decode("utf-16-le", "replace")
    assert decode(raw, CompletionRequest).body.prompt == expected
    assert decode_chunked(raw, CompletionRequest, chunk).body.prompt == expected


@settings(deadline=None, max_examples=150)
@given(
    value=CHATS,
    wrong=VALUES,
    name=st.sampled_from(["model", "messages", "temperature", "stop", "tools", "n", "prediction"]),
    chunk=st.sampled_from([7, 60]),
)
def test_chunks_find_the_same_fault(value: Any, wrong: Any, name: str, chunk: int) -> None:
    raw = written({**value, name: wrong}, True, None)
    assert outcome(lambda raw: decode_chunked(raw, ChatRequest, chunk)[0], raw) == outcome(
        lambda raw: decode(raw, ChatRequest)[0], raw
    )


@settings(deadline=None, max_examples=300)
@given(value=CHATS, data=st.data(), chunk=st.sampled_from([5, 40]))
def test_what_is_no_json_is_refused_in_chunks_too(value: Any, data: st.DataObject, chunk: int) -> None:
    raw = bytearray(written(value, data.draw(st.booleans()), None))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from([b"", b"}", b"]", b'"', b",", b"\\"]))
    # Half a character in what is skipped is let through in one go, and not in chunks.
    assume(raw.decode("utf-8", "ignore").encode() == raw)
    whole = outcome(lambda raw: decode(raw, ChatRequest)[0], bytes(raw))
    parts = outcome(lambda raw: decode_chunked(raw, ChatRequest, chunk)[0], bytes(raw))
    assert isinstance(whole, tuple) == isinstance(parts, tuple)
    assert isinstance(whole, tuple) or whole == parts


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m", "user": "a" * 90}, "messages"),
        ({"model": "m", "messages": [{"role": "user", "content": "a" * 90}] * 3 + [{"role": "x"}]}, "messages[3].role"),
        ({"model": "m", "messages": [{"role": "user", "audio": {"id": "a" * 90}}]}, "messages[0].audio"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a" * 90}, {"type": 4}]}]},
         "messages[0].content[1].type"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_place(body: Any, param: str) -> None:
    with pytest.raises(RequestError) as refused:
        decode_chunked(json.dumps(body).encode(), ChatRequest, 40)
    assert refused.value.info.param == param


def test_a_large_text_is_copied_no_more_than_it_takes_to_put_it_together() -> None:
    size = 1 << 20
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": "a" * size}]}).encode()
    tracemalloc.start()
    try:
        decode_chunked(raw, ChatRequest)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * size


def test_nesting_without_end_is_refused() -> None:
    raw = b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    with pytest.raises(RequestError):
        decode_chunked(raw, ChatRequest, 100)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2500), min_size=4, max_size=4), st.sampled_from(" \t\r\n"))
def test_space_of_any_length_around_values_changes_nothing(spaces: list[int], kind: str) -> None:
    a, b, c, d = (kind * length for length in spaces)
    raw = f'{a}{{"model":{b}"m"{c},"messages":[{d}{{"role":"user","content":"x"}}{a}]{b}}}{c}'.encode()
    assert decode_chunked(raw, ChatRequest, 100)[0] == msgspec.json.decode(raw, type=ChatRequest)


TINY = {
    "logit_bias": {str(index): 1 for index in range(60_000)},
    "chat_template_kwargs": {f"a{index}": {} for index in range(60_000)},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {str(i): {} for i in range(60_000)}}}],
    "unknown": {str(index): [] for index in range(60_000)},
    "user": [{"": 1} for _ in range(60_000)],
}


@pytest.mark.parametrize("fields", [{name: value} for name, value in TINY.items()] + [TINY["logit_bias"]])
def test_tiny_members_are_decoded_many_at_a_time(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    raw = json.dumps(body).encode()
    calls = 0

    def counting(parser: Parser, part: Any) -> Any:
        nonlocal calls
        calls += 1
        return parse(parser, part)

    parse = Parser.parse
    monkeypatch.setattr(Parser, "parse", counting)
    made, _ = decode_chunked(raw, ChatRequest)
    assert calls < 40 + 4 * len(raw) / CHUNK
    monkeypatch.undo()
    assert made == msgspec.json.decode(raw, type=ChatRequest)


def test_a_wrong_one_among_tiny_members_is_named() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "logit_bias": {**TINY["logit_bias"], "59999": "a"}}
    with pytest.raises(RequestError) as refused:
        decode_chunked(json.dumps(body).encode(), ChatRequest)
    assert (refused.value.info.param or "").startswith("logit_bias")


@given(VALUES)
def test_values_are_counted_as_they_are_and_strings_as_one(value: Any) -> None:
    def count(value: Any) -> int:
        inner = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
        return 1 + sum(map(count, inner))

    raw = json.dumps(value).encode()
    for chunk in (1, 7, 1 << 16):
        counted = count_values(raw, chunk)
        assert counted <= 2 * count(value)
        assert counted >= count(value) / 2

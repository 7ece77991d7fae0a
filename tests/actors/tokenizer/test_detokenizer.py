"""Incremental text against the text of everything at once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.tokenizer.detokenizer import Detokenizer, StopStrings
from mlxr.models.tokenizers import SpecialTokens

END = 256
MARK = 257


class ByteTokenizer:
    """One token a byte, and two control tokens."""

    special = SpecialTokens(eos=END, ends=frozenset({END}), control=frozenset({END, MARK}))
    vocab_size = 258
    strips_space = True
    markers = frozenset[str]()

    def encode(self, text: str, *, add_special: bool = True, parse_special: bool = True, escape: str = "") -> list[int]:
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        return {END: b"</s>", MARK: b"<tool_call>"}.get(token) or bytes([token])

    def token_id(self, text: str) -> int | None:
        return None

    def decode(self, tokens: Iterable[int], *, skip_special: bool = True) -> str:
        return b"".join(map(self.token_bytes, tokens)).decode(errors="replace")


TOKENIZER = ByteTokenizer()


def chunks(items: st.SearchStrategy[list[int]]) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(items, max_size=12)


@given(chunks(st.lists(st.integers(0, 255), max_size=5)))
def test_any_chunking_of_any_bytes_decodes_as_the_whole(parts: list[list[int]]) -> None:
    detokenizer = Detokenizer(TOKENIZER)
    text = "".join(map(detokenizer.push, parts)) + detokenizer.finish()
    assert text == b"".join(map(bytes, parts)).decode("utf-8", "replace")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_only_whole_characters_come_out(text: str) -> None:
    detokenizer = Detokenizer(TOKENIZER)
    assert "".join(detokenizer.push([byte]) for byte in text.encode()) == text
    assert detokenizer.finish() == ""


def test_a_character_cut_off_at_the_end_becomes_a_replacement_character() -> None:
    detokenizer = Detokenizer(TOKENIZER)
    assert detokenizer.push("é".encode()[:1]) == ""
    assert detokenizer.finish() == "\ufffd"


def test_control_tokens_show_only_where_the_parser_reads_them() -> None:
    assert Detokenizer(TOKENIZER).push([*b"a", MARK, *b"b", END]) == "ab"
    assert Detokenizer(TOKENIZER, show=frozenset({MARK})).push([*b"a", MARK, *b"b", END]) == "a<tool_call>b"


def test_the_dummy_space_goes_once_and_only_at_the_start_of_a_text() -> None:
    whole = Detokenizer(TOKENIZER, at_start=True)
    assert whole.push([END]) + whole.push(b"  a") + whole.push(b" b") == " a b"
    assert Detokenizer(TOKENIZER).push(b" a") == " a"


def cut(text: str, stops: list[str]) -> tuple[str, str | None]:
    """The rule, read off one character at a time."""
    for end in range(len(text) + 1):
        met = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if met:
            longest = max(met, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(st.lists(st.text("ab ", max_size=4), max_size=8), st.lists(st.text("ab ", max_size=4), max_size=4))
def test_any_chunking_stops_at_the_same_place(parts: list[str], stops: list[str]) -> None:
    watch = StopStrings(stops)
    text = "".join(map(watch.push, parts)) + watch.finish()
    assert (text, watch.matched) == cut("".join(parts), stops)


@pytest.mark.parametrize("ending", ["", "\n"])
def test_text_that_cannot_become_a_stop_string_is_not_held_back(ending: str) -> None:
    watch = StopStrings(["\n\nHuman:"])
    assert watch.push("hello" + ending) == "hello"
    assert watch.push("x") == ending + "x"
    assert watch.finish() == ""


def test_after_a_stop_string_nothing_more_comes() -> None:
    watch = StopStrings(["END"])
    assert watch.push("a EN") + watch.push("D more") + watch.push(" and more") + watch.finish() == "a "
    assert watch.matched == "END"

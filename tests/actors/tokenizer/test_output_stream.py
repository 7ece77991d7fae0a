"""One sequence's answer: text, tool calls and how it ends."""

from __future__ import annotations

import pytest

from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.models.chat import choose_parser
from mlxr.runtime.messages.common import FinishReason
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.tokenizer import TokenRow, Tool
from tests.actors.tokenizer.test_detokenizer import TOKENIZER

TOOLS = [Tool("add"), Tool("now")]
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'


def answer(text: str, finish: FinishReason = FinishReason.STOP, **settings: bool) -> tuple[OutputStream, list[Delta]]:
    """A choice that has taken ``text``, a token a step."""
    choice = OutputStream(1, 0, TOKENIZER, [], choose_parser("<tool_call>", TOOLS), **settings)
    tokens = TOKENIZER.encode(text)
    rows = [TokenRow(1, [token]) for token in tokens[:-1]] + [TokenRow(1, tokens[-1:], finish=finish)]
    return choice, [delta for row in rows if (delta := choice.take(row)) is not None]


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        (CALL, FinishReason.STOP, FinishReason.TOOL_CALLS),
        (CALL[:45], FinishReason.LENGTH, FinishReason.LENGTH),
        (CALL[:45], FinishReason.STOP, FinishReason.STOP),
        ("No tools.", FinishReason.STOP, FinishReason.STOP),
    ],
)
def test_an_answer_ends_by_tool_calls_if_they_are_whole(
    text: str, finish: FinishReason, expected: FinishReason
) -> None:
    _, deltas = answer(text, finish)
    assert deltas[-1].finish is expected


@pytest.mark.parametrize("length", range(1, len(CALL)))
def test_an_answer_held_to_calls_has_no_text_wherever_it_is_cut_off(length: int) -> None:
    _, deltas = answer(CALL[:length], FinishReason.LENGTH, only_calls=True)
    assert "".join(delta.text for delta in deltas) == ""
    assert deltas[-1].finish is FinishReason.LENGTH


def test_a_second_call_ends_an_answer_that_may_have_one() -> None:
    choice, deltas = answer(f"{CALL}\n{CALL} and more", one_call=True)
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert {call.index for call in calls} == {0}
    assert choice.stopped
    assert deltas[-1].finish is FinishReason.TOOL_CALLS

"""What becomes of texts that are longer than a model's context."""

from __future__ import annotations

import re

import pytest

from mlxr.actors.tokenizer.truncation import too_long, truncated_input, truncated_prompt
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode

CLS, SEP = 101, 102
CONTROL = frozenset({CLS, SEP})
LONG = [CLS, 1, 2, 3, 4, SEP]


def test_a_text_to_embed_may_fill_the_context() -> None:
    assert truncated_input(LONG, len(LONG), CONTROL, truncate=False) == LONG


def test_a_longer_one_is_cut_before_its_closing_token() -> None:
    assert truncated_input(LONG, 4, CONTROL, truncate=True) == [CLS, 1, 2, SEP]
    assert truncated_input(LONG[:-1], 4, CONTROL, truncate=True) == [CLS, 1, 2, 3]


@pytest.mark.parametrize(("tokens", "code"), [(LONG, ErrorCode.CONTEXT_LENGTH), ([], ErrorCode.INVALID)])
def test_what_doesnt_fit_or_is_empty_is_refused(tokens: list[int], code: ErrorCode) -> None:
    with pytest.raises(RequestError) as raised:
        truncated_input(tokens, 5, CONTROL, truncate=False)
    assert raised.value.info.code is code


@pytest.mark.parametrize("context", [1, 2])
def test_a_context_with_room_for_nothing_but_markers_is_refused(context: int) -> None:
    with pytest.raises(RequestError, match="exceeds the context length"):
        truncated_input(LONG, context, CONTROL, truncate=True)


@pytest.mark.parametrize(
    "looked_for",
    [
        r"prompt is too long[^0-9]*20146\s*tokens?\s*>\s*8192",  # Claude Code
        r"maximum context length is 8192 tokens",  # opencode, Qwen Code
        r"exceeds the context length",  # Ollama's
    ],
)
def test_a_prompt_that_is_too_long_is_said_so_in_the_words_that_agents_look_for(looked_for: str) -> None:
    for at_least in (False, True):
        assert re.search(looked_for, too_long(20146, 8192, "messages", at_least=at_least).message)


@pytest.mark.parametrize("keep", [0, 1, 4, 2**31 - 1])
def test_a_prompt_that_is_cut_leaves_room_for_an_answer_in_the_smallest_context(keep: int) -> None:
    for context in range(2, 40):
        made = truncated_prompt([*range(100)], context, keep)
        assert 0 < len(made) < context
        assert made[-1] == 99


def test_a_context_with_room_for_an_answer_alone_is_refused() -> None:
    with pytest.raises(RequestError, match="maximum context length is 1 tokens") as raised:
        truncated_prompt([5], 1, 4)
    assert raised.value.info.code is ErrorCode.CONTEXT_LENGTH

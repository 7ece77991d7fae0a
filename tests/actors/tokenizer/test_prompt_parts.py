"""Long prompts travel in parts and arrive as they were, or as much of them as matters."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.frontend.prompt_parts import PART_CHARACTERS, in_parts
from mlxr.actors.tokenizer.prompt_parts import assembled_prompt, least_characters
from mlxr.actors.tokenizer.truncation import WHOLE, TextEnds
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.tokenizer import (
    ChatMessage,
    ChatPrompt,
    Embed,
    FillPrompt,
    Generate,
    Prompt,
    PromptPart,
    TextPrompt,
    TokenizerInbox,
    TokenPrompt,
    Tool,
    ToolCall,
)

TEXT = st.text(st.sampled_from("aé😀 \n"), max_size=60)
CALLS = st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2)
MESSAGES = st.builds(ChatMessage, st.sampled_from(["user", "assistant", "tool"]), TEXT, TEXT, CALLS, TEXT, TEXT)
PROMPTS = (
    st.builds(TextPrompt, TEXT, st.booleans())
    | st.builds(TokenPrompt, st.lists(st.integers(0, 99), max_size=40))
    | st.builds(FillPrompt, TEXT, TEXT)
    | st.builds(ChatPrompt, st.lists(MESSAGES, max_size=6), st.lists(st.builds(Tool, TEXT), max_size=2), TEXT)
)


def sent(prompt: Prompt, part: int) -> tuple[list[PromptPart], Generate]:
    """The messages that ``prompt`` becomes, as they arrive."""
    wire = [msgspec.msgpack.encode(message) for message in in_parts(Generate(7, prompt), part)]
    *parts, command = [msgspec.msgpack.decode(raw, type=TokenizerInbox) for raw in wire]
    assert isinstance(command, Generate)
    return [message for message in parts if isinstance(message, PromptPart)], command


@given(prompt=PROMPTS, part=st.integers(1, 300))
def test_a_prompt_is_what_its_parts_make(prompt: Prompt, part: int) -> None:
    parts, command = sent(prompt, part)
    assert assembled_prompt(command, parts) == prompt


def test_a_prompt_of_ordinary_length_is_one_message_as_it_was() -> None:
    command = Generate(7, ChatPrompt([ChatMessage("user", "Hello")]))
    assert list(in_parts(command)) == [command]


@pytest.mark.parametrize(
    "prompt",
    [
        TextPrompt("word " * PART_CHARACTERS),
        TokenPrompt(list(range(PART_CHARACTERS))),
        FillPrompt("a" * 3 * PART_CHARACTERS, "b" * 2 * PART_CHARACTERS),
        ChatPrompt([ChatMessage("user", "wörter " * PART_CHARACTERS)]),
        ChatPrompt([ChatMessage("user", "short")] * 3000),
    ],
    ids=["text", "tokens", "fill", "message", "messages"],
)
def test_no_message_of_a_long_prompt_is_long(prompt: Prompt) -> None:
    messages = list(in_parts(Generate(7, prompt)))
    assert len(messages) > 1
    for message in messages:
        assert len(msgspec.msgpack.encode(message)) < 4 * PART_CHARACTERS


@given(pieces=st.lists(TEXT, max_size=8), head=st.integers(0, 50), tail=st.integers(0, 50))
def test_of_a_long_text_its_ends_are_left(pieces: list[str], head: int, tail: int) -> None:
    text = "".join(pieces)
    ends = text if len(text) <= head + tail else text[:head] + text[len(text) - tail :]
    assert TextEnds(head, tail).cut(pieces) == ends
    assert WHOLE.cut(pieces) == text


def test_a_part_that_was_lost_fails_the_request_instead_of_being_left_out() -> None:
    parts, command = sent(TextPrompt("abcdefgh"), 3)
    with pytest.raises(RequestError, match="send the request again") as refused:
        assembled_prompt(command, parts[1:])
    assert refused.value.info.code is ErrorCode.ENGINE_FAILED


def test_what_a_template_may_leave_out_does_not_count_as_the_prompts_length() -> None:
    said = ChatPrompt([ChatMessage("system", "sys"), ChatMessage("user", "hello"), ChatMessage("assistant", "hm", "m")])
    parts, command = sent(said, 2)
    assert least_characters(command, parts) == len("hello")
    own = msgspec.structs.replace(said, template="{{ 1 }}")
    assert least_characters(Generate(7, own), []) == 0
    assert least_characters(Embed(7, TextPrompt("hello")), []) == len("hello")

"""Which messages go of a conversation that is too long."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mlxr.models.chat import ChatError
from mlxr.models.chat.truncation import DroppableMessages, truncated, with_other_longest
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, ToolCall

SYSTEM = ChatMessage("system", "Be kind.")
CALL = [ToolCall("1", "f", "{}")]


@dataclass
class Words:
    """Encodes a word as a token, and counts how often."""

    calls: int = 0
    longest: int = 0
    sizes: list[int] = field(default_factory=list)

    def __call__(self, prompt: ChatPrompt) -> Encoded:
        self.calls += 1
        tokens = [0] * sum(len(message.content.split()) for message in prompt.messages)
        self.longest = max(self.longest, len(tokens))
        return Encoded(tokens)


@dataclass
class Encoded:
    tokens: list[int]


def said(prompt: ChatPrompt) -> list[str]:
    return [f"{message.role}:{message.content.split()[0] if message.content else ''}" for message in prompt.messages]


def turns(count: int, words: int = 10) -> list[ChatMessage]:
    found = []
    for number in range(count):
        found.append(ChatMessage("user", f"q{number} " + "word " * words))
        found.append(ChatMessage("assistant", f"a{number} " + "word " * words))
    return found


def test_whole_turns_go_the_oldest_first_and_system_messages_stay() -> None:
    note = ChatMessage("system", "Note.")
    messages = [SYSTEM, *turns(10), note, ChatMessage("user", "last question")]
    prompt, made = truncated(ChatPrompt(messages), 226, 100, Words())
    assert 50 <= len(made.tokens) <= 75
    kept = said(prompt)
    assert kept[0] == "system:Be"
    assert kept[-2:] == ["system:Note.", "user:last"]
    assert kept[1].startswith("user:q")
    assert kept[1:-2] == said(ChatPrompt(turns(10)))[-len(kept[1:-2]) :]


def test_calls_go_with_their_results() -> None:
    old = [
        ChatMessage("user", "q0 " + "word " * 40),
        ChatMessage("assistant", tool_calls=CALL),
        ChatMessage("tool", "result", tool_call_id="1"),
        ChatMessage("assistant", "a0"),
    ]
    prompt, _ = truncated(ChatPrompt([SYSTEM, *old, ChatMessage("user", "q1")]), 50, 40, Words())
    assert said(prompt) == ["system:Be", "user:q1"]


def test_of_a_long_last_turn_the_old_rounds_of_calls_go_and_the_question_stays() -> None:
    rounds = []
    for number in range(10):
        rounds.append(ChatMessage("assistant", f"c{number}", tool_calls=CALL))
        rounds.append(ChatMessage("tool", f"r{number} " + "word " * 10, tool_call_id="1"))
    prompt, made = truncated(ChatPrompt([SYSTEM, *turns(3), ChatMessage("user", "do"), *rounds]), 190, 60, Words())
    assert len(made.tokens) < 60
    kept = said(prompt)
    assert kept[:2] == ["system:Be", "user:do"]
    assert kept[2].startswith("assistant:c")
    assert kept[-1] == "tool:r9"


def test_the_last_turn_is_all_that_is_left_where_nothing_else_fits() -> None:
    messages = [SYSTEM, *turns(3), ChatMessage("user", "last " + "word " * 100)]
    prompt, _ = truncated(ChatPrompt(messages), 170, 50, Words())
    assert said(prompt) == ["system:Be", "user:last"]


def test_a_conversation_does_not_begin_with_an_answer_to_what_went() -> None:
    messages = [ChatMessage("assistant", "Welcome " + "word " * 30), *turns(2, 30), ChatMessage("user", "last")]
    prompt, _ = truncated(ChatPrompt(messages), 160, 100, Words())
    assert said(prompt) == ["user:q1", "assistant:a1", "user:last"]


@pytest.mark.parametrize("dense", [False, True])
def test_two_thousand_messages_take_a_few_short_renderings(dense: bool) -> None:
    messages = [SYSTEM, *turns(1000)]
    if dense:
        # Where the latest turns have more tokens a character than the first, an estimate is far off.
        messages[1:1001] = [ChatMessage(m.role, "x" * 300) for m in messages[1:1001]]
    words = Words()
    whole = len(words(ChatPrompt(messages)).tokens)
    words.calls = words.longest = 0
    _, made = truncated(ChatPrompt([*messages, ChatMessage("user", "last")]), whole, 500, words)
    assert 100 <= len(made.tokens) <= 375
    assert words.calls <= 8
    assert words.longest < whole / 2


def test_a_template_that_refuses_some_shorter_conversation_is_asked_for_a_shorter_one() -> None:
    words = Words()

    def encode(prompt: ChatPrompt) -> Encoded:
        if len(prompt.messages) > 6:
            raise ChatError("refused")
        return words(prompt)

    prompt, _ = truncated(ChatPrompt([SYSTEM, *turns(10), ChatMessage("user", "last")]), 222, 150, encode)
    assert len(prompt.messages) <= 6
    assert said(prompt)[-1] == "user:last"


def test_a_conversation_without_old_messages_stays_as_it_is() -> None:
    for messages in ([SYSTEM], [ChatMessage("user", "a")], [ChatMessage("assistant", "a")]):
        assert len(DroppableMessages(ChatPrompt(messages))) == 0
        prompt, _ = truncated(ChatPrompt(messages), 10, 1, Words())
        assert prompt.messages == messages


def test_the_longest_text_that_is_no_system_message_is_what_differs() -> None:
    prompt = ChatPrompt([ChatMessage("system", "long " * 9), ChatMessage("user", "?long"), ChatMessage("user", "a")])
    assert [message.content for message in with_other_longest(prompt).messages] == ["long " * 9, "!", "a"]
    assert with_other_longest(ChatPrompt([SYSTEM])).messages == [SYSTEM]

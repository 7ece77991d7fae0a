"""A command as it came in: its content is what it says, whoever asks."""

from __future__ import annotations

from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.runtime.messages.tokenizer import (
    ChatMessage,
    ChatPrompt,
    Detokenize,
    Embed,
    Generate,
    PromptPart,
    TextPrompt,
    TokenPrompt,
)

LARGE = 1 << 40
"""The number of a request that takes nine bytes."""


def test_the_same_said_by_another_request_has_the_same_content() -> None:
    prompt = ChatPrompt([ChatMessage("user", "Hi")], template="{{ 1 }}")
    for said in (Generate(1, prompt), Embed(1, TextPrompt("Hi")), Detokenize(1, TokenPrompt([1]))):
        again = Incoming.of(type(said)(LARGE, said.prompt), PromptPart(LARGE, said.prompt))
        assert Incoming.of(said, PromptPart(1, said.prompt)).content() == again.content()


def test_whatever_else_differs_makes_another_content() -> None:
    prompt, other = TextPrompt("a"), TextPrompt("b")
    contents = {
        Incoming.of(Generate(1, prompt)).content(),
        Incoming.of(Generate(1, other)).content(),
        Incoming.of(Generate(1, prompt, n=2)).content(),
        Incoming.of(Generate(1, prompt), PromptPart(1, prompt)).content(),
        Incoming.of(Generate(1, prompt), PromptPart(1, other)).content(),
    }
    assert len(contents) == 5

"""Prompts in the four forms OpenAI takes them: a text, texts, token ids, lists of token ids."""

from __future__ import annotations

from collections.abc import Iterable

from mlxr.api.errors import invalid
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import Prompt, TextPrompt, TokenPrompt

Given = str | list[str | int | list[int]]


def prompts_of(given: Given, field: str, add_special: bool = True) -> list[TextPrompt | TokenPrompt]:
    """One prompt for each that ``field`` holds; raises ``RequestError`` for none or a mixture."""
    if isinstance(given, str):
        return [TextPrompt(given, add_special)]
    if not given:
        raise invalid(f"`{field}` is empty", field)
    if all(isinstance(item, int) for item in given):
        return [TokenPrompt([item for item in given if isinstance(item, int)])]
    return [_prompt(item, f"{field}[{index}]", field, add_special) for index, item in enumerate(given)]


def context_of(entry: ModelEntry | None) -> int | None:
    """Tokens that a model takes, as far as its files say."""
    return entry.info.context_length or None if entry else None


def check_lengths(prompts: Iterable[Prompt], context: int | None, field: str) -> None:
    """Refuses token ids that can't fit ``context``, before they are sent on: there may be millions of them."""
    longest = max((len(prompt.tokens) for prompt in prompts if isinstance(prompt, TokenPrompt)), default=0)
    if context is not None and longest > context:
        limit = f"this model's maximum context length is {context} tokens"
        message = f"the prompt exceeds the context length: {longest} tokens, and {limit}; shorten the prompt"
        raise RequestError(ErrorInfo(ErrorCode.CONTEXT_LENGTH, message, field))


def _prompt(item: str | int | list[int], place: str, field: str, add_special: bool) -> TextPrompt | TokenPrompt:
    if isinstance(item, int):
        raise invalid(f"`{place}`: token ids can't be mixed with prompts", field)
    if isinstance(item, str):
        return TextPrompt(item, add_special)
    if not item:
        raise invalid(f"`{place}` has no tokens", field)
    return TokenPrompt(item)

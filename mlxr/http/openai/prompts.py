"""Prompts in the four forms OpenAI takes them: a text, texts, token ids, lists of token ids."""

from __future__ import annotations

from mlxr.http.errors import invalid
from mlxr.runtime.messages.tokenizer import TextPrompt, TokenPrompt

Given = str | list[str | int | list[int]]


def prompts_of(given: Given, field: str, add_special: bool = True) -> list[TextPrompt | TokenPrompt]:
    """One prompt for each that ``field`` holds; raises ``HttpError`` 400 for none or a mixture."""
    if isinstance(given, str):
        return [TextPrompt(given, add_special)]
    if not given:
        raise invalid(f"`{field}` is empty", field)
    if all(isinstance(item, int) for item in given):
        return [TokenPrompt([item for item in given if isinstance(item, int)])]
    return [_prompt(item, f"{field}[{index}]", field, add_special) for index, item in enumerate(given)]


def _prompt(item: str | int | list[int], place: str, field: str, add_special: bool) -> TextPrompt | TokenPrompt:
    if isinstance(item, int):
        raise invalid(f"`{place}`: token ids can't be mixed with prompts", field)
    if isinstance(item, str):
        return TextPrompt(item, add_special)
    if not item:
        raise invalid(f"`{place}` has no tokens", field)
    return TokenPrompt(item)

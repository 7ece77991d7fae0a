"""Which part of a chat's prompt a token belongs to: tools, system, a message, or the template around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlxr.runtime.messages.scheduler import PromptSection
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt

TEMPLATE, TOOLS, SYSTEM = "the template's own text", "tools", "the system message"

MOST_SECTIONS = 500


def prompt_sections(
    prompt: ChatPrompt, text: str, tokens: list[int], lengths: NDArray[np.int64]
) -> list[PromptSection]:
    """Returns the parts of a rendered prompt in their order, each with its end among the ``tokens`` of ``text``.
    ``lengths``: bytes that each token of the vocabulary stands for. Where text is normalized, ends are off by as much
    as that changes its length."""
    if not tokens:
        return []
    names, ends = _ends(prompt, text)
    if len(names) > MOST_SECTIONS:
        names, ends = names[-MOST_SECTIONS:], ends[-MOST_SECTIONS:]
    behind = np.cumsum(lengths[np.array(tokens)])
    at, before = np.empty(len(ends), np.float64), 0
    for index, end in enumerate(ends):
        start = ends[index - 1] if index else 0
        before += len(text[start:end].encode())
        at[index] = before
    whole = before + len(text[ends[-1] if ends else 0 :].encode())
    places = np.searchsorted(behind, at * (behind[-1] / max(whole, 1)), side="left") + 1
    return [PromptSection(name, int(place), name != TEMPLATE) for name, place in zip(names, places, strict=True)]


def _ends(prompt: ChatPrompt, text: str) -> tuple[list[str], list[int]]:
    """Names of parts, and where each ends in ``text``: what is between them is the template's."""
    spans: list[tuple[int, int, str]] = []
    at = 0
    for number, message in enumerate(prompt.messages, 1):
        span = _span(message, text, at)
        if span is not None:
            name = SYSTEM if message.role == "system" else f"message {number} ({message.role})"
            spans.append((*span, name))
            at = span[1]
    if prompt.tools:
        begin = text.find(prompt.tools[0].name)
        last = prompt.tools[-1]
        end = text.find(last.name, begin) if begin >= 0 else -1
        if end >= 0:
            end += len(last.name) + len(last.description) + len(last.parameters)
            limit = min((start for start, _, name in spans if start >= begin and name != SYSTEM), default=len(text))
            spans.append((begin, min(end, limit), TOOLS))
    names, ends, at = list[str](), list[int](), 0
    for start, end, name in sorted(spans):
        if start > at:
            names.append(TEMPLATE)
            ends.append(start)
        names.append(name)
        ends.append(max(end, at))
        at = max(end, at)
    return names, ends


def _span(message: ChatMessage, text: str, at: int) -> tuple[int, int] | None:
    """Where a message's words are in ``text``, from ``at`` on; templates may trim them."""
    words = message.content.strip()
    if not words:
        return None
    start = text.find(words, at)
    return (start, start + len(words)) if start >= 0 else None

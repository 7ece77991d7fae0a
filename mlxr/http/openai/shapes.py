"""Pieces of OpenAI's responses that several routes share."""

from __future__ import annotations

import codecs
import uuid
from collections.abc import Iterable
from typing import Any

from mlxr.runtime.messages.common import TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta, Started

LEAST_LOGPROB = -9999.0
"""What stands for minus infinity, which JSON lacks; OpenAI's own choice."""


def new_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


class RunningUsage:
    """How many tokens there are so far, which is what a chunk ends with where ``continuous_usage_stats`` asks for it.
    What came from the cache and what was reasoning is only known in the end."""

    def __init__(self) -> None:
        self._prompt = 0
        self._made = 0

    def start(self, started: Started) -> bytes:
        """The end of chunks before the first token."""
        self._prompt = started.prompt_tokens
        return self._close()

    def close(self, delta: Delta) -> bytes:
        """The end of the chunks that ``delta`` makes."""
        self._made += delta.tokens
        return self._close()

    def _close(self) -> bytes:
        counts = (self._prompt, self._made, self._prompt + self._made)
        return b'],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}\n\n' % counts


def finite(logprob: float) -> float:
    return max(logprob, LEAST_LOGPROB)


def chat_logprobs(tokens: list[TextLogprob]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": token.token,
                "logprob": finite(token.logprob),
                "bytes": list(token.raw),
                "top_logprobs": [
                    {"token": text, "logprob": finite(logprob), "bytes": list(raw)} for text, logprob, raw in token.top
                ],
            }
            for token in tokens
        ],
        "refusal": None,
    }


class CompletionLogprobs:
    """``{tokens, token_logprobs, top_logprobs, text_offset}``, piece by piece: offsets count characters of the text
    returned so far, and a character's tokens after its first have the offset behind it."""

    def __init__(self) -> None:
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def piece(self, tokens: Iterable[TextLogprob], without_logprob: Iterable[bytes] = ()) -> dict[str, Any]:
        """The object for ``tokens``, after ``without_logprob`` (a prompt's first), which have none."""
        names: list[str] = []
        values: list[float | None] = []
        tops: list[dict[str, float] | None] = []
        offsets: list[int] = []
        for raw in without_logprob:
            names.append(raw.decode(errors="replace"))
            values.append(None)
            tops.append(None)
            offsets.append(self._advance(raw))
        for token in tokens:
            names.append(token.token)
            values.append(finite(token.logprob))
            tops.append(_top(token))
            offsets.append(self._advance(token.raw))
        return {"tokens": names, "token_logprobs": values, "top_logprobs": tops, "text_offset": offsets}

    def _advance(self, raw: bytes) -> int:
        start = self._offset
        self._offset += len(self._decoder.decode(raw))
        return start


def _top(token: TextLogprob) -> dict[str, float]:
    """Alternatives by text, best first; of two tokens with one text the better counts. The sampled one is in it."""
    top: dict[str, float] = {}
    for text, logprob, _ in token.top:
        top.setdefault(text, finite(logprob))
    top.setdefault(token.token, finite(token.logprob))
    return top

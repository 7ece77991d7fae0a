"""Log-probabilities of tokens in the form of plain completions."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any

from mlxr.http.logprobs import finite
from mlxr.runtime.messages.common import TextLogprob


class CompletionLogprobs:
    """``{tokens, token_logprobs, top_logprobs, text_offset}``, piece by piece: offsets count characters of the text
    returned so far, and a character's tokens after its first have the offset behind it."""

    def __init__(self) -> None:
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def piece(self, tokens: Iterable[TextLogprob], without_logprob: Iterable[bytes] = ()) -> dict[str, Any]:
        """Returns the object for ``tokens``, after ``without_logprob`` (a prompt's first), which have none."""
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

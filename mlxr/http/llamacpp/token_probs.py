"""Log-probabilities of tokens as llama.cpp's clients read them: each with its id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlxr.http.logprobs import finite
from mlxr.runtime.messages.common import TextLogprob


def token_probs(tokens: Iterable[TextLogprob]) -> list[dict[str, Any]]:
    """Returns ``completion_probabilities``: before sampling, as the model gave them."""
    return [
        {
            **_token(token.id, token.token, token.raw, token.logprob),
            "top_logprobs": [
                _token(id, text, raw, logprob)
                for id, (text, logprob, raw) in zip(token.top_ids, token.top, strict=True)
            ],
        }
        for token in tokens
    ]


def _token(id: int, text: str, raw: bytes, logprob: float) -> dict[str, Any]:
    return {"id": id, "token": text, "bytes": list(raw), "logprob": finite(logprob)}

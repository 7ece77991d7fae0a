"""Log-probabilities of tokens as JSON, in the form of OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

from mlxr.runtime.messages.common import TextLogprob

LEAST_LOGPROB = -9999.0
"""What stands for minus infinity, which JSON lacks; OpenAI's own choice."""


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

"""Token counts of answers, of a whole one and of one that is under way."""

from __future__ import annotations

from typing import Any

from mlxr.runtime.messages.common import Usage
from mlxr.runtime.messages.frontend import Delta, Started


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "accepted_prediction_tokens": usage.accepted_tokens,
            "rejected_prediction_tokens": usage.drafted_tokens - usage.accepted_tokens,
        },
    }


class RunningUsage:
    """How many tokens there are so far, which is what a chunk ends with where ``continuous_usage_stats`` asks for it.
    What came from the cache and what was reasoning is only known in the end."""

    def __init__(self) -> None:
        self._prompt = 0
        self._made = 0

    def start(self, started: Started) -> bytes:
        """Returns the end of chunks before the first token."""
        self._prompt = started.prompt_tokens
        return self._close()

    def close(self, delta: Delta) -> bytes:
        """Returns the end of the chunks that ``delta`` makes."""
        self._made += delta.tokens
        return self._close()

    def _close(self) -> bytes:
        counts = (self._prompt, self._made, self._prompt + self._made)
        return b'],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}\n\n' % counts

"""The figures of an answer, as Ollama prints them, and those of the first token and of the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figures:
    """Of one answer.

    last: the last object of its stream; durations in nanoseconds.
    first_token: seconds from the request to the first piece of text, as seen here; None where there was none.
    loading: seconds that the model took to load before the request.
    """

    last: dict[str, Any]
    first_token: float | None
    loading: float = 0.0

    def plain(self) -> dict[str, Any]:
        """The figures for programs: seconds, counts and rates."""
        return {
            "done_reason": self.last.get("done_reason", ""),
            "total_seconds": self._seconds("total_duration") + self.loading,
            "load_seconds": self._seconds("load_duration") + self.loading,
            "first_token_seconds": self.first_token,
            "prompt_tokens": self.last.get("prompt_eval_count", 0),
            "cached_tokens": self.last.get("prompt_cached_count", 0),
            "prompt_seconds": self._seconds("prompt_eval_duration"),
            "prompt_tokens_per_second": self._rate(self._computed, "prompt_eval_duration"),
            "tokens": self.last.get("eval_count", 0),
            "seconds": self._seconds("eval_duration"),
            "tokens_per_second": self._rate(self.last.get("eval_count", 0), "eval_duration"),
        }

    def lines(self) -> list[str]:
        """The figures for people, a line each."""
        figures = [
            ("total duration:", _duration(self._seconds("total_duration") + self.loading)),
            ("load duration:", _duration(self._seconds("load_duration") + self.loading)),
            ("time to first token:", _duration(self.first_token) if self.first_token is not None else ""),
            ("prompt eval count:", f"{self.last.get('prompt_eval_count', 0)} token(s)"),
            ("prompt cached count:", f"{self.last.get('prompt_cached_count', 0)} token(s)"),
            ("prompt eval duration:", _duration(self._seconds("prompt_eval_duration"))),
            ("prompt eval rate:", _rate(self._rate(self._computed, "prompt_eval_duration"))),
            ("eval count:", f"{self.last.get('eval_count', 0)} token(s)"),
            ("eval duration:", _duration(self._seconds("eval_duration"))),
            ("eval rate:", _rate(self._rate(self.last.get("eval_count", 0), "eval_duration"))),
        ]
        return [f"{name:<22}{value}" for name, value in figures if value]

    @property
    def _computed(self) -> int:
        """Tokens of the prompt that were computed."""
        return max(0, int(self.last.get("prompt_eval_count", 0)) - int(self.last.get("prompt_cached_count", 0)))

    def _seconds(self, name: str) -> float:
        return float(self.last.get(name, 0)) / 1e9

    def _rate(self, tokens: int, name: str) -> float | None:
        seconds = self._seconds(name)
        # A nanosecond stands for no time at all.
        return round(tokens / seconds, 2) if tokens and seconds > 1e-8 else None


def _rate(rate: float | None) -> str:
    return f"{rate:.2f} tokens/s" if rate is not None else ""


def _duration(seconds: float) -> str:
    """As Go prints durations."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.3f}s" if minutes else f"{rest:.3f}s"

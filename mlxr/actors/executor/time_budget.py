"""How long the device's thread may be kept by one sequence's grammar.

An ambiguous grammar (``s: s s | "a" |``) makes the parser's work grow with the text, and every row of a step waits for
it. What it costs shows only as the text grows, so it is measured as it goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

MOST_SECONDS = 0.1
"""Of processor time, for one token."""
FREE_SECONDS = 0.2
SECONDS_A_TOKEN = 0.005
"""Once so much is spent, a token may take so much on average: ordinary schemas take a tenth of it, masks included."""


class TimeBudget:
    """Adds up the processor time that one sequence's matcher takes. ``exceeded``: it took too much."""

    __slots__ = ("_spent", "_tokens", "exceeded")

    def __init__(self) -> None:
        self.exceeded = False
        self._spent = 0.0
        self._tokens = 0

    @contextmanager
    def measure(self, tokens: int = 0) -> Iterator[None]:
        """Counts what is done within, for so many tokens."""
        begun = time.thread_time()
        try:
            yield
        finally:
            self.note(time.thread_time() - begun, tokens)

    def note(self, seconds: float, tokens: int = 0) -> None:
        self._spent += seconds
        self._tokens += tokens
        average = self._spent / max(self._tokens, 1)
        if seconds > MOST_SECONDS or (self._spent > FREE_SECONDS and average > SECONDS_A_TOKEN):
            self.exceeded = True

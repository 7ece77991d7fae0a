"""A bound on processor time, for what must not take time by the square of its length. Not wall-clock time: a busy
machine changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Ends what is done within by an ``AssertionError`` once this process has computed for so long."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it takes more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)

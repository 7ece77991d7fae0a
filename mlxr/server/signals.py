"""What signals mean to a server: each of those that would end it lets it drain first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

URGENT = frozenset({signal.SIGTERM, signal.SIGINT})
"""The second of them ends the server at once."""

DRAINING = (*URGENT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)


def hold() -> None:
    """Keeps what comes while the server starts until it is received."""
    signal.pthread_sigmask(signal.SIG_BLOCK, DRAINING)


def let_through() -> None:
    """Undoes ``hold``, for a process that is no server."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, DRAINING)


@contextmanager
def held() -> Iterator[None]:
    """Holds what comes until another program has taken this process's place; where none does, it is let through."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, DRAINING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def received() -> Iterator[AsyncIterator[signal.Signals]]:
    """The signals that are to drain the server, those held back too. What ``nohup`` has ignored stays so."""
    import anyio  # what starts a server's first processes imports no loop

    wanted = [number for number in DRAINING if signal.getsignal(number) is not signal.SIG_IGN]
    with anyio.open_signal_receiver(*wanted) as signals:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, DRAINING)
        yield signals


def deadline(seconds: float, clean_up: Callable[[], None]) -> None:
    """Ends the process after ``seconds``, whatever its threads and its loop then do, as long as they let others have
    the interpreter; ``watchdog`` is for those that don't."""

    def end() -> None:
        try:
            clean_up()
        finally:
            os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()

"""``mlxr top`` as long as it runs: the screen follows the server, and keys steer it."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live

from mlxr.cli.printing import make_console
from mlxr.cli.top.screen import SORTS, lines
from mlxr.cli.top.source import Source
from mlxr.cli.top.view import Snapshot

WAIT_SECONDS = 0.1


def live(source: Source) -> None:
    """Shows the server until q or an interruption."""
    paused, sort = False, SORTS[0]
    with _keys() as pressed, Live(console=make_console(), screen=True, auto_refresh=False) as screen:
        shown: Snapshot = source.now()
        dirty, size = True, screen.console.size
        while True:
            fresh = source.listen(WAIT_SECONDS)
            for key in pressed():
                if key in "qQ\x03\x1b":
                    return
                if key in "pP ":
                    paused = not paused
                if key in "sS":
                    sort = SORTS[(SORTS.index(sort) + 1) % len(SORTS)]
                dirty = True
            if (fresh or source.silent) and not paused:
                shown, dirty = source.now(), True
            if dirty or screen.console.size != size:
                note = "paused" if paused else "the server is gone; waiting for it" if source.silent else ""
                size = screen.console.size
                screen.update(Group(*lines(shown, time.time(), size.width, size.height, sort, note)), refresh=True)
                dirty = False


@contextmanager
def _keys() -> Iterator[_Pressed]:
    """What is typed, key by key and unseen; nothing where stdin is no terminal."""
    if not sys.stdin.isatty():
        yield _Pressed(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _Pressed(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class _Pressed:
    """Called, it returns the keys since the last call."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __call__(self) -> str:
        keys = ""
        while self._descriptor is not None and select.select([self._descriptor], [], [], 0)[0]:
            if not (read := os.read(self._descriptor, 64)):
                break
            keys += read.decode(errors="ignore")
        # An arrow or a function key begins as the escape key does.
        return "" if keys.startswith("\x1b") and len(keys) > 1 else keys

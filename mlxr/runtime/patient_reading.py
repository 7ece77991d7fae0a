"""Reads files that the user names, pipes among them, and does not wait for ever for one that nobody writes into."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

SILENT_SECONDS = 10.0
"""How long a named pipe may say nothing: that of `<(...)` in a shell has its writer from the start."""
_POLL_SECONDS = 0.02
_PIECE = 1 << 16


def read_patiently(path: Path, most: int) -> bytes:
    """Returns the first ``most`` bytes of a file or a named pipe. Raises ``OSError``, also for a pipe into which nobody
    writes for ``SILENT_SECONDS``. Blocking."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        read = bytearray()
        while len(read) < most:
            if pipe and not _has_more(descriptor, path, begun=bool(read)):
                break
            piece = os.read(descriptor, min(_PIECE, most - len(read)))
            if not piece:
                break
            read += piece
        return bytes(read)
    finally:
        os.close(descriptor)


def _has_more(pipe: int, path: Path, *, begun: bool) -> bool:
    """Waits until there is something to read, and returns whether that is so: not where all writers have gone. Where
    none has come yet, some systems say so by an end at once, which is waited out."""
    poll, end = select.poll(), time.monotonic() + SILENT_SECONDS
    poll.register(pipe, select.POLLIN)
    while (left := end - time.monotonic()) > 0:
        for _, events in poll.poll(left * 1000):
            if events & select.POLLIN:
                return True
            if begun:
                return False
            time.sleep(_POLL_SECONDS)
    raise OSError(errno.ETIMEDOUT, f"nothing was written into this pipe for {SILENT_SECONDS:.0f} seconds", str(path))

"""Pools that processes which were killed have left in memory: how much they take, and who frees it.

They are kept for the next start of their engines, and count as free wherever it is asked what memory there is: who
needs it deletes them (``delete_left``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlxr.actors.executor.pool_files import file as pool_file

STALE_SECONDS, FORSAKEN_SECONDS = 600.0, 3_600.0
"""After which a file that nobody locks is another engine's that does not come back, and one of another store."""


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A pool that nobody has open. ``bytes``: of memory that it takes."""

    path: Path
    bytes: int
    modified: float


def left_files(store: Path | None, folder: Path | None = None) -> list[LeftFile]:
    """Returns the pools that processes which were killed have left, of all engines on a store; None for all of this
    user's."""
    return list(_left(store, folder or pool_file.FOLDER))


def left_bytes() -> int:
    """Returns the memory that all of this user's take."""
    return sum(left.bytes for left in left_files(None))


def delete_left(store: Path | None, folder: Path | None = None, idle_seconds: float = 0.0) -> int:
    """Deletes the pools of a store, None for all of this user's, that nobody has open and of which nobody has recorded
    anything for so long; returns the bytes of memory that they took."""
    freed = 0
    for left in _left(store, folder or pool_file.FOLDER):
        if time.time() - left.modified >= idle_seconds:
            with suppress(OSError):
                os.unlink(left.path)
                freed += left.bytes
    return freed


def _left(store: Path | None, folder: Path) -> Iterator[LeftFile]:
    """Yields pools that nobody has open, each locked for as long as it is looked at."""
    digest = pool_file.store_digest(store) if store is not None else None
    try:
        pools = [found for name in os.listdir(folder) if (found := pool_file.NAME.fullmatch(name))]
    except OSError:
        return
    for name in [found[0] for found in pools if digest in (None, found[1])]:
        with suppress(OSError):
            file = pool_file.opened(folder / name, make=False)
            try:
                status = os.fstat(file)
                yield LeftFile(folder / name, status.st_blocks * 512, status.st_mtime)
            finally:
                os.close(file)

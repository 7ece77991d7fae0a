"""A catalogue that can't be read: how that shows, and who mends it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import msgspec

from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home
from mlxr.runtime.sqlite_files import is_damage

_LOCK_SECONDS = 0.05


class Damaged(ModelError):  # noqa: N818  (reads as what happened)
    """A catalogue can't be read, and never will be."""


@contextmanager
def raising_damaged() -> Iterator[None]:
    """Raises ``Damaged`` in place of the errors that SQLite, and the decoders of rows, raise for a damaged
    catalogue."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise Damaged(f"the catalogue is damaged: {error}") from error
        raise
    except (msgspec.MsgspecError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"the catalogue is damaged: {error}") from error


@asynccontextmanager
async def repair_lock(home: Home, read_only: bool) -> AsyncIterator[None]:
    """Holds the lock among processes that mend the catalogue; none is needed where nobody can."""
    if read_only:
        yield
        return
    lock = os.open(home.root / "registry.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await anyio.sleep(_LOCK_SECONDS)
        yield
    finally:
        os.close(lock)

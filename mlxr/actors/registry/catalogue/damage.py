"""A catalogue that can't be read: how that shows, and how it is put out of the way."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio
import msgspec

from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home

_BROKEN_SCHEMA = re.compile(
    r"no such (table|column)|already exists|duplicate column|has no column|malformed|Could not decode"
)
_LOCK_SECONDS = 0.05


class Damaged(ModelError):  # noqa: N818  (reads as what happened)
    """A catalogue can't be read, and never will be."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no catalogue, and not that the system keeps it from it."""
    if isinstance(error, sqlite3.OperationalError):
        return bool(_BROKEN_SCHEMA.search(str(error)))
    return type(error) is sqlite3.DatabaseError  # its subclasses blame the caller


@contextmanager
def raising_damaged() -> Iterator[None]:
    """Raise ``Damaged`` in place of the errors that SQLite, and the decoders of rows, raise for a damaged catalogue."""
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
    """Hold the lock among processes that mend the catalogue; none is needed where nobody can."""
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


def set_aside(home: Home) -> Path:
    """Rename a damaged catalogue, with what SQLite has beside it; returns its new name."""
    aside = home.root / f"{home.database.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{home.database}{suffix}").rename(f"{aside}{suffix}")
    return aside

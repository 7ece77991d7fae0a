"""What every SQLite file of a home needs: its schema brought up to date, and what its failures mean."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiosqlite

_BROKEN_SCHEMA = re.compile(
    r"no such (table|column)|already exists|duplicate column|has no column|malformed|Could not decode"
)
_LEAST_FREE = 1 << 20
"""Bytes of a disk below which writes may fail for want of room."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no database of ours, and not that the system keeps it from it."""
    if isinstance(error, sqlite3.OperationalError):
        return bool(_BROKEN_SCHEMA.search(str(error)))
    return type(error) is sqlite3.DatabaseError  # its subclasses blame the caller


def is_full(error: sqlite3.Error, folder: Path) -> bool:
    """Whether a disk without room is what SQLite failed for: of the file beside a database that processes share it only
    says that it could not be written. ``folder``: where the database lies."""
    kind = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return kind == sqlite3.SQLITE_FULL or (
        kind == sqlite3.SQLITE_IOERR and shutil.disk_usage(folder).free < _LEAST_FREE
    )


def set_aside(database: Path) -> Path:
    """Renames a damaged file, with what SQLite has beside it; returns its new name."""
    aside = database.with_name(f"{database.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{database}{suffix}").rename(f"{aside}{suffix}")
    return aside


async def migrate(
    database: aiosqlite.Connection, steps: Sequence[Callable[[aiosqlite.Connection], Awaitable[None]]]
) -> None:
    """Brings a schema up to date; ``user_version`` counts the ``steps`` it has had. Call within a transaction."""
    async with database.execute("PRAGMA user_version") as cursor:
        row = await cursor.fetchone()
    done = int(row[0]) if row else 0
    for number, step in enumerate(steps[done:], start=done + 1):
        await step(database)
        await database.execute(f"PRAGMA user_version = {number}")

"""Opening a catalogue that may be lost, damaged or just being mended by another process."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from mlxr.actors.registry.catalogue.damage import Damaged, raising_damaged, repair_lock
from mlxr.actors.registry.catalogue.database import Database
from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home
from mlxr.runtime.sqlite_files import set_aside

log = logging.getLogger("mlxr.registry")

Check = Callable[[Database], Awaitable[object]]
"""Reads what is in a database; what it raises of decoding shows that the database is damaged."""

_ATTEMPTS = 5


async def open_database(home: Home, check: Check, copy: bool = False) -> Database:
    """Opens or makes the catalogue's database; an empty one in place of a damaged one, which is set aside.

    Raises ``ModelError`` for one that a newer mlxr wrote or that can't be opened, and where the home can't be made.
    Where the home is read-only, or a ``copy`` is asked for, what is opened is a copy in memory.
    """
    for attempt in range(_ATTEMPTS):
        before = _file_number(home.database)
        try:
            read_only = copy or not home.writable()
            if not read_only:
                home.make()
            try:
                return await _checked(home, read_only, check)
            except Damaged as error:
                async with repair_lock(home, read_only):
                    return await _renewed(home, read_only, check, error)
        except (sqlite3.Error, ModelError) as error:
            # Another process that found a damaged one has put an empty one in its place.
            if before != _file_number(home.database) and attempt < _ATTEMPTS - 1:
                continue
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"can't open the catalogue {home.database}: {error}") from error
        except OSError as error:
            raise ModelError(f"can't use {home.root} for models: {error.strerror}; set MLXR_HOME") from error
    raise AssertionError("the last attempt returns or raises")


async def _checked(home: Home, read_only: bool, check: Check) -> Database:
    """Raises ``Damaged``, ``ModelError`` and ``sqlite3.Error``."""
    database = await Database.open(home, read_only)
    try:
        with raising_damaged():
            await check(database)
    except BaseException:
        await database.close()
        raise
    return database


async def _renewed(home: Home, read_only: bool, check: Check, error: Damaged) -> Database:
    """An empty catalogue in place of a damaged one, unless another process has seen to that."""
    if read_only:
        log.warning("%s; it can't be mended in a read-only home", error)
        return await Database.empty(home)
    try:
        return await _checked(home, False, check)
    except Damaged:
        aside = set_aside(home.database)
        log.warning("%s; it is kept as %s", error, aside)
        return await _checked(home, False, check)


def _file_number(path: Path) -> int | None:
    """Tells a file from another one put in its place."""
    try:
        return path.stat().st_ino
    except OSError:
        return None

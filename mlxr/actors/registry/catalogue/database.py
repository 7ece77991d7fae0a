"""The catalogue's SQLite file: opening it, transactions with the files that go with them, and its write-ahead log."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
import anyio

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.damage import Damaged, raising_damaged
from mlxr.actors.registry.catalogue.migrations import MIGRATIONS
from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home
from mlxr.runtime.sqlite_files import is_damage, is_full, migrate

_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.01
LOG_BYTES = 1 << 20
"""What the write-ahead log keeps of the disk when nothing is in it."""


class Database:
    """An open catalogue file. One transaction at a time, and nothing is read within it but by itself.

    read_only: whether what is open is a copy in memory.
    """

    def __init__(self, home: Home, connection: aiosqlite.Connection, read_only: bool) -> None:
        self._home = home
        self._connection = connection
        self._turn = anyio.Lock()
        self.read_only = read_only

    @classmethod
    async def open(cls, home: Home, read_only: bool) -> Database:
        """Opens or makes the catalogue, and brings its schema up to date. Where it is ``read_only``, a copy of it.

        Raises ``Damaged``, ``ModelError`` for one that a newer mlxr wrote, ``OSError`` and ``sqlite3.Error``.
        """
        return await cls._prepared(home, await (_in_memory(home) if read_only else _on_disk(home)), read_only)

    @classmethod
    async def empty(cls, home: Home) -> Database:
        """Returns a catalogue in memory that holds nothing."""
        return await cls._prepared(home, await _connected(":memory:", _BUSY_SECONDS), True)

    @classmethod
    async def _prepared(cls, home: Home, connection: aiosqlite.Connection, read_only: bool) -> Database:
        database = cls(home, connection, read_only)
        try:
            with raising_damaged():
                await database._prepare()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Closes, even when cancelled: the connection's thread must not outlive the loop."""
        with anyio.CancelScope(shield=True):
            await self._connection.close()

    async def replace(self, other: Database) -> None:
        """Goes on with the file that ``other`` has open."""
        async with self._turn:
            old, self._connection = self._connection, other._connection
            self.read_only = other.read_only
        await old.close()

    async def rows(self, query: str, *values: Any) -> list[Any]:
        """All rows; raises ``Damaged`` and ``ModelError``."""
        try:
            async with self._connection.execute(query, values) as cursor:
                return list(await cursor.fetchall())
        except sqlite3.Error as error:
            if is_damage(error):
                raise Damaged(f"the catalogue {self._home.database} is damaged: {error}") from error
            if is_full(error, self._home.root):
                raise files.OutOfSpace(self._home.root, 0) from error
            raise ModelError(f"can't read the catalogue {self._home.database}: {error}") from error

    async def version(self) -> int:
        """Changes when another process changes the catalogue."""
        return int((await self.rows("PRAGMA data_version"))[0][0])

    async def execute(self, statement: str, *values: Any) -> None:
        """Changes rows; within ``transaction``."""
        await self._connection.execute(statement, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[list[Path]]:
        """One transaction. Files put into the list it gives are moved away inside it, deleted after it, and moved back
        if it fails."""
        gone: list[Path] = []
        aside: dict[Path, Path] = {}
        with anyio.CancelScope(shield=True):
            async with self._turn:
                try:
                    await self._connection.execute("BEGIN IMMEDIATE")
                    yield gone
                    for path in gone:
                        aside[path] = files.set_aside(self._home, path)
                    await self._connection.execute("COMMIT")
                except BaseException as error:
                    for path, hidden in aside.items():
                        hidden.rename(path)
                    if self._connection.in_transaction:
                        await self._connection.execute("ROLLBACK")
                    if isinstance(error, sqlite3.Error) and is_full(error, self._home.root):
                        raise files.OutOfSpace(self._home.root, 0) from error
                    if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
                        raise ModelError(f"can't write to the catalogue {self._home.database}: {error}") from error
                    raise
                await self._empty_log()
            for hidden in aside.values():
                await anyio.to_thread.run_sync(files.remove, hidden)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Keeps everybody from changing the catalogue; gives False, at once, where somebody just does that, or may."""
        with anyio.CancelScope(shield=True):
            try:
                self._turn.acquire_nowait()
            except anyio.WouldBlock:
                # A change of this process, which may itself wait for one of another for half a minute.
                yield False
                return
            try:
                held = await self._begin_at_once()
                try:
                    yield held
                finally:
                    if held:
                        await self._connection.execute("ROLLBACK")
            finally:
                self._turn.release()

    async def _begin_at_once(self) -> bool:
        """Takes the lock for changes without waiting for it; returns whether it was there."""
        try:
            await self._connection.execute("PRAGMA busy_timeout = 0")
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False
        finally:
            await self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        return True

    async def _empty_log(self) -> None:
        """Has what is in the log written to the catalogue, so that the next change begins the log anew and the log is
        cut to ``LOG_BYTES``. Who reads meanwhile is not waited for: the next change tries again."""
        with suppress(sqlite3.Error):
            await self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    async def _prepare(self) -> None:
        await self._write_ahead()
        await self._connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        await self._connection.execute("PRAGMA foreign_keys = ON")
        version = int((await self.rows("PRAGMA user_version"))[0][0])
        if version < 0:
            raise Damaged(f"the catalogue {self._home.database} is damaged: its schema has the number {version}")
        if version > len(MIGRATIONS):
            raise ModelError(
                f"{self._home.database} was written by a newer mlxr (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); update mlxr or choose another MLXR_HOME"
            )
        if version < len(MIGRATIONS):
            async with self.transaction():
                await migrate(self._connection, MIGRATIONS)
        (verdict,), *_ = await self.rows("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise Damaged(f"the catalogue {self._home.database} is damaged: {verdict}")

    async def _write_ahead(self) -> None:
        """Changes the journal's mode, for which SQLite does not wait: the first two to open a catalogue may collide."""
        deadline = anyio.current_time() + _BUSY_SECONDS
        while True:
            try:
                await self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # No time makes room.
                if is_full(error, self._home.root):
                    raise files.OutOfSpace(self._home.root, 0) from error
                if anyio.current_time() > deadline:
                    raise
                await anyio.sleep(_RETRY_SECONDS)
            else:
                return


async def _connected(database: str | Path, patience: float, *, uri: bool = False) -> aiosqlite.Connection:
    """A connection in autocommit mode that waits ``patience`` seconds for others."""
    return await aiosqlite.connect(database, isolation_level=None, timeout=patience, uri=uri)


async def _on_disk(home: Home) -> aiosqlite.Connection:
    """Opens the catalogue itself; its owner's alone, as SQLite makes the files beside it too. Raises ``ModelError``,
    ``OSError`` and ``sqlite3.Error``."""
    if home.database.exists() and not home.database.is_file():
        raise ModelError(f"can't open the catalogue {home.database}: it is no regular file")
    # Not opened where it exists: closing a file drops the locks that SQLite holds on it in this process.
    with suppress(FileExistsError):
        os.close(os.open(home.database, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return await _connected(home.database, _BUSY_SECONDS)


async def _in_memory(home: Home) -> aiosqlite.Connection:
    """A copy of a catalogue that can't be written to; an empty one where there is none.

    SQLite wants to write beside a catalogue that it reads, unless it is told that nobody changes it: a copy in an image
    is such a one. Raises ``Damaged`` and ``sqlite3.Error``.
    """
    memory = await _connected(":memory:", 1)
    if not home.database.exists():
        return memory
    try:
        with raising_damaged():
            try:
                await _copied(home, "mode=ro" if _has_log(home) else "mode=ro&immutable=1", memory)
            except sqlite3.OperationalError:
                await _copied(home, "mode=ro&immutable=1", memory)
    except BaseException:
        await memory.close()
        raise
    return memory


def _has_log(home: Home) -> bool:
    """Whether changes wait beside the catalogue: somebody has it open who can write, or was killed."""
    log = Path(f"{home.database}-wal")
    return log.exists() and log.stat().st_size > 0


async def _copied(home: Home, how: str, target: aiosqlite.Connection) -> None:
    source = await _connected(f"file:{quote(str(home.database))}?{how}", 1, uri=True)
    try:
        await source.backup(target)
    finally:
        await source.close()

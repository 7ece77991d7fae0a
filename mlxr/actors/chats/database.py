"""The chats' SQLite file: who may open it, how it is opened, what becomes of a damaged one, and transactions."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosqlite
import anyio

from mlxr.actors.chats.migrations import MIGRATIONS
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.sqlite_files import is_damage, is_full, migrate, set_aside

log = logging.getLogger("mlxr.chats")

BUSY_SECONDS = 10
LOG_BYTES = 4 << 20
"""What the write-ahead log keeps of the disk when nothing is in it."""


class ChatsUnusable(MlxrError):  # noqa: N818  (reads as what it is)
    """The chats can't be opened, for a reason in words."""


class ChatsDamaged(ChatsUnusable):
    """What is in the file can't be read."""


class Database:
    """An open file of chats, which no other server has open. ``notice``: what people should know of it."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, lock: int) -> None:
        self._path = path
        self._connection = connection
        self._lock = lock
        self._turn = anyio.Lock()
        self.notice: str | None = None

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Opens or makes the file; a damaged one is set aside, and an empty one takes its place. Raises
        ``ChatsUnusable`` for one that another server has open, that a newer mlxr wrote, or that the system keeps from
        us."""
        try:
            lock = _lock(path)
        except OSError as error:
            raise ChatsUnusable(f"the chats in {path.parent} can't be opened: {error.strerror}") from error
        try:
            try:
                return await cls._prepared(path, lock)
            except ChatsDamaged as error:
                aside = set_aside(path)
                log.warning("%s; it is kept as %s", error, aside)
                database = await cls._prepared(path, lock)
                database.notice = f"{error}; it was set aside as {aside.name}, and these chats begin anew"
                return database
        except OSError as error:
            os.close(lock)
            raise ChatsUnusable(f"the chats in {path} can't be opened: {error.strerror}") from error
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    async def _prepared(cls, path: Path, lock: int) -> Database:
        _make(path)
        connection = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            await _prepare(connection, path)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await connection.close()
            if isinstance(error, sqlite3.Error):
                if is_damage(error):
                    raise ChatsDamaged(f"the file of the chats {path.name} is damaged ({error})") from error
                raise ChatsUnusable(f"the chats in {path} can't be opened: {_reason(error, path)}") from error
            raise
        return cls(path, connection, lock)

    async def close(self) -> None:
        """Closes, even when cancelled: the connection's thread must not outlive the loop."""
        with anyio.CancelScope(shield=True):
            await self._connection.close()
        os.close(self._lock)

    async def rows(self, query: str, *values: Any) -> list[Any]:
        """Returns all rows. Raises ``RequestError`` in words."""
        try:
            async with self._connection.execute(query, values) as cursor:
                return list(await cursor.fetchall())
        except sqlite3.Error as error:
            raise self._failure(error) from error

    async def execute(self, statement: str, *values: Any) -> None:
        """Changes rows; within ``transaction``."""
        await self._connection.execute(statement, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """One transaction, all of it or nothing. Raises ``RequestError`` in words for a disk that is full or broken."""
        with anyio.CancelScope(shield=True):
            async with self._turn:
                try:
                    await self._connection.execute("BEGIN IMMEDIATE")
                    yield
                    await self._connection.execute("COMMIT")
                except BaseException as error:
                    with suppress(sqlite3.Error):
                        if self._connection.in_transaction:
                            await self._connection.execute("ROLLBACK")
                    if isinstance(error, sqlite3.Error):
                        raise self._failure(error) from error
                    raise

    def _failure(self, error: sqlite3.Error) -> RequestError:
        if is_full(error, self._path.parent):
            text = f"the disk of {self._path.parent} is full, so that chats can't be kept; make room"
            return RequestError(ErrorInfo(ErrorCode.STORAGE_FULL, text))
        log.error("the chats in %s can't be used: %s", self._path, error)
        return RequestError(ErrorInfo(ErrorCode.INTERNAL, f"the chats in {self._path} can't be used: {error}"))


async def _prepare(connection: aiosqlite.Connection, path: Path) -> None:
    async def one(query: str) -> Any:
        async with connection.execute(query) as cursor:
            row = await cursor.fetchone()
        return row[0] if row else None

    version = int(await one("PRAGMA user_version"))
    if version > len(MIGRATIONS):
        raise ChatsUnusable(
            f"{path} was written by a newer mlxr (schema {version}, this one knows {len(MIGRATIONS)}): "
            "update mlxr, or move the file away to begin with no chats"
        )
    if version < 0:
        raise ChatsDamaged(f"the file of the chats {path.name} is damaged (its schema has the number {version})")
    await connection.execute("PRAGMA journal_mode = WAL")
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    await connection.execute("PRAGMA foreign_keys = ON")
    if (verdict := await one("PRAGMA quick_check(1)")) != "ok":
        raise ChatsDamaged(f"the file of the chats {path.name} is damaged ({verdict})")
    if version < len(MIGRATIONS):
        await connection.execute("BEGIN IMMEDIATE")
        try:
            await migrate(connection, MIGRATIONS)
        except BaseException:
            await connection.execute("ROLLBACK")
            raise
        await connection.execute("COMMIT")


def _make(path: Path) -> None:
    """Makes the file if it isn't there, its owner's alone. Raises ``ChatsUnusable`` and ``OSError``."""
    if path.exists() and not path.is_file():
        raise ChatsUnusable(f"the chats in {path} can't be opened: it is no regular file")
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _lock(path: Path) -> int:
    """Returns the lock that says whose chats these are. Raises ``ChatsUnusable`` where another server has them."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise ChatsUnusable(
            f"another server has the chats of {path.parent} open: use that one, or another MLXR_HOME"
        ) from error
    return lock


def _reason(error: sqlite3.Error, path: Path) -> str:
    return "the disk is full" if is_full(error, path.parent) else str(error)

"""The catalogue in SQLite: which names there are, what they stand for, and which files are still needed.

Several processes may use one catalogue at once (a server and ``mlxr pull``). Each change is one immediate
transaction, and files enter or leave ``models/`` inside it: SQLite's write lock is what keeps a delete from taking
away a file that another process is just adding.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import msgspec

from mlxr.actors.registry import files
from mlxr.actors.registry.facts import FACTS_VERSION
from mlxr.actors.registry.migrations import MIGRATIONS, migrate
from mlxr.actors.registry.record import Blob, Facts, Overrides, Record
from mlxr.models import names
from mlxr.runtime.errors import ModelError, ModelNotFound
from mlxr.runtime.paths import Home

_SELECT = """
    SELECT models.name, models.digest, path, size, facts, source, modified, overrides,
        (SELECT group_concat(alias, char(10)) FROM aliases WHERE model = models.key)
    FROM models JOIN blobs USING (digest)
"""
_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.01


class Store:
    """An open catalogue; ``await Store.open(home)``, and close it."""

    def __init__(self, home: Home, db: aiosqlite.Connection) -> None:
        self._home = home
        self._db = db
        self._turn = anyio.Lock()
        self._version = -1

    @classmethod
    async def open(cls, home: Home) -> Store:
        """Open or make the catalogue; raises ``ModelError`` for one that a newer mlxr wrote."""
        home.root.mkdir(parents=True, exist_ok=True)
        db = await aiosqlite.connect(home.database, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            store = cls(home, db)
            await store._prepare()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await db.close()
            raise
        return store

    async def close(self) -> None:
        """Close, even when cancelled: the connection's thread must not outlive the loop."""
        with anyio.CancelScope(shield=True):
            await self._db.close()

    async def models(self) -> list[Record]:
        """Every model, the newest first."""
        rows = await self._rows(f"{_SELECT} ORDER BY modified DESC, models.name")
        return [self._record(row) for row in rows]

    async def find(self, name: str) -> Record | None:
        """The model of that name or alias, in any case, with or without ``:latest``."""
        wanted = names.key(name)
        query = f"{_SELECT} WHERE key = coalesce((SELECT model FROM aliases WHERE aliases.key = ?), ?)"
        rows = await self._rows(f"{_SELECT} WHERE key = ?", wanted) or await self._rows(query, wanted, wanted)
        return self._record(rows[0]) if rows else None

    async def get(self, name: str) -> Record:
        """As ``find``; raises ``ModelNotFound``."""
        record = await self.find(name)
        if record is None:
            raise ModelNotFound(f"model {name!r} not found; `mlxr list` shows what there is, `mlxr pull` fetches more")
        return record

    async def add(
        self,
        name: str,
        blob: Blob,
        *,
        source: str = "",
        aliases: Iterable[str] = (),
        overrides: Overrides | None = None,
        place: Callable[[], None] | None = None,
    ) -> Record:
        """Catalogue ``blob`` as ``name``, in place of what had that name.

        ``place`` puts the files at ``blob.path``; it runs inside the transaction and should only rename.
        """
        async with self._change() as gone:
            if place:
                place()
            previous = await self._digest_of(name)
            await self._put_blob(blob)
            await self._put_model(name, blob.digest, source, overrides or Overrides())
            for alias in aliases:
                await self._db.execute(
                    "INSERT OR REPLACE INTO aliases (key, alias, model) VALUES (?, ?, ?)",
                    (names.key(alias), alias, names.key(name)),
                )
            if previous and previous != blob.digest:
                gone += await self._drop_unused(previous)
        return await self.get(name)

    async def copy(self, source: str, target: str) -> Record:
        """Let ``target`` stand for what ``source`` does; raises ``ModelNotFound`` and ``ValueError`` (bad name)."""
        original, target = await self.get(source), names.checked(target)
        return await self.add(target, original.blob, source=original.source, overrides=original.overrides)

    async def delete(self, name: str) -> Record:
        """Forget a name, and its files where no other name stands for them; raises ``ModelNotFound``."""
        record = await self.get(name)
        async with self._change() as gone:
            await self._db.execute("DELETE FROM models WHERE key = ?", (names.key(record.name),))
            gone += await self._drop_unused(record.blob.digest)
        return record

    async def stale(self) -> list[Record]:
        """Models whose facts an older mlxr read."""
        rows = await self._rows(f"{_SELECT} WHERE facts_version <> ?", FACTS_VERSION)
        return [self._record(row) for row in rows]

    async def refresh(self, digest: str, facts: Facts) -> None:
        """Replace a blob's facts."""
        async with self._change():
            await self._db.execute(
                "UPDATE blobs SET facts = ?, facts_version = ? WHERE digest = ?", (_json(facts), FACTS_VERSION, digest)
            )

    async def known_file(self, path: Path, fingerprint: str) -> tuple[str, Facts] | None:
        """Digest and facts of a local file, if it was read and has not changed since."""
        rows = await self._rows(
            "SELECT digest, facts FROM local_files WHERE path = ? AND fingerprint = ? AND facts_version = ?",
            str(path),
            fingerprint,
            FACTS_VERSION,
        )
        return (str(rows[0][0]), msgspec.json.decode(rows[0][1], type=Facts)) if rows else None

    async def remember_file(self, path: Path, fingerprint: str, digest: str, facts: Facts) -> None:
        async with self._change():
            await self._db.execute(
                "INSERT OR REPLACE INTO local_files (path, fingerprint, digest, facts, facts_version)"
                " VALUES (?, ?, ?, ?, ?)",
                (str(path), fingerprint, digest, _json(facts), FACTS_VERSION),
            )

    async def prune(self, older_than: float) -> None:
        """Delete files that no name stands for: uploads never used, what a killed process left. Those changed since
        ``older_than`` (seconds since the epoch) stay: somebody may be about to use them."""
        async with self._change() as gone:
            known = {self._home.models / row[0] for row in await self._rows("SELECT path FROM blobs")}
            found = [*self._home.models.glob("blobs/sha256-*"), *self._home.models.glob("[0-9a-f]" * 64)]
            gone += [path for path in found if path not in known and path.stat().st_mtime < older_than]

    async def changed_elsewhere(self) -> bool:
        """Whether another process changed the catalogue since the last call."""
        before, self._version = self._version, int((await self._rows("PRAGMA data_version"))[0][0])
        return before not in (-1, self._version)

    async def _prepare(self) -> None:
        await self._write_ahead()
        await self._db.execute("PRAGMA foreign_keys = ON")
        version = int((await self._rows("PRAGMA user_version"))[0][0])
        if version > len(MIGRATIONS):
            raise ModelError(
                f"{self._home.database} was written by a newer mlxr (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); update mlxr or choose another MLXR_HOME"
            )
        if version < len(MIGRATIONS):
            async with self._change():
                await migrate(self._db)
        await self.changed_elsewhere()

    async def _write_ahead(self) -> None:
        """Change the journal's mode, for which SQLite does not wait: the first two to open a catalogue may collide."""
        deadline = anyio.current_time() + _BUSY_SECONDS
        while True:
            try:
                await self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if anyio.current_time() > deadline:
                    raise
                await anyio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _rows(self, query: str, *values: Any) -> list[Any]:
        async with self._db.execute(query, values) as cursor:
            return list(await cursor.fetchall())

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[list[Path]]:
        """One transaction. Files put into the list it gives are moved away inside it, deleted after it, and moved
        back if it fails."""
        gone: list[Path] = []
        aside: dict[Path, Path] = {}
        with anyio.CancelScope(shield=True):
            async with self._turn:
                try:
                    await self._db.execute("BEGIN IMMEDIATE")
                    yield gone
                    for path in gone:
                        aside[path] = files.set_aside(self._home, path)
                    await self._db.execute("COMMIT")
                except BaseException as error:
                    for path, hidden in aside.items():
                        hidden.rename(path)
                    if self._db.in_transaction:
                        await self._db.execute("ROLLBACK")
                    if isinstance(error, sqlite3.OperationalError):
                        raise ModelError(f"can't write to the catalogue {self._home.database}: {error}") from error
                    raise
            for hidden in aside.values():
                await anyio.to_thread.run_sync(files.remove, hidden)

    async def _digest_of(self, name: str) -> str | None:
        rows = await self._rows("SELECT digest FROM models WHERE key = ?", names.key(name))
        return str(rows[0][0]) if rows else None

    async def _put_blob(self, blob: Blob) -> None:
        path = blob.path
        stored = path.relative_to(self._home.models) if path.is_relative_to(self._home.models) else path
        await self._db.execute(
            "INSERT INTO blobs (digest, path, size, facts, facts_version) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET path = excluded.path, facts = excluded.facts,"
            " facts_version = excluded.facts_version",
            (blob.digest, str(stored), blob.size, _json(blob.facts), FACTS_VERSION),
        )

    async def _put_model(self, name: str, digest: str, source: str, overrides: Overrides) -> None:
        await self._db.execute("DELETE FROM aliases WHERE key = ?", (names.key(name),))
        await self._db.execute(
            "INSERT INTO models (name, key, digest, source, modified, overrides) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, source = excluded.source,"
            " modified = excluded.modified, overrides = excluded.overrides",
            (name, names.key(name), digest, source, time.time(), _json(overrides)),
        )

    async def _drop_unused(self, digest: str) -> list[Path]:
        """Forget a blob that no name stands for; its files, if they are ours to delete."""
        if await self._rows("SELECT 1 FROM models WHERE digest = ? LIMIT 1", digest):
            return []
        rows = await self._rows("SELECT path FROM blobs WHERE digest = ?", digest)
        await self._db.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
        paths = [self._home.models / row[0] for row in rows if not Path(row[0]).is_absolute()]
        return [path for path in paths if path.exists()]

    def _record(self, row: Any) -> Record:
        name, digest, path, size, facts, source, modified, overrides, aliases = row
        return Record(
            name=name,
            blob=Blob(digest, self._home.models / path, size, msgspec.json.decode(facts, type=Facts)),
            modified=modified,
            source=source,
            aliases=aliases.split("\n") if aliases else [],
            overrides=msgspec.json.decode(overrides, type=Overrides),
        )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

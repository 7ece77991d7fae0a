"""The catalogue in SQLite: which names there are, what they stand for, and which files are still needed.

Several processes may use one catalogue at once (a server and ``mlxr pull``). Each change is one immediate
transaction, and files enter or leave ``models/`` inside it: SQLite's write lock is what keeps a delete from taking
away a file that another process is just adding.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import msgspec
from msgspec.json import decode

from mlxr.actors.registry.catalogue import files, recovery
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.local_files import LATEST
from mlxr.actors.registry.catalogue.migrations import MIGRATIONS, migrate
from mlxr.actors.registry.catalogue.recovery import Damaged
from mlxr.actors.registry.metadata.read_info import INFO_VERSION
from mlxr.models import names
from mlxr.runtime.errors import ModelError, ModelNotFound, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

_SELECT = """
    SELECT models.name, models.digest, path, size, facts, source, modified, overrides,
        (SELECT group_concat(alias, char(10)) FROM aliases WHERE model = models.key)
    FROM models JOIN blobs USING (digest)
"""
MOST_MODELS = 4096
MOST_TEXTS = 32 << 20
"""Names in the catalogue, and characters of what is known of them and laid over them, together: all of it is kept in
memory, and told to every frontend when anything changes."""
_FULL = "the catalogue can't take {name}: it may have {models} models with {megabytes} MiB of texts; remove some first"
_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.01


class Store:
    """An open catalogue; ``await Store.open(home)``, and close it."""

    def __init__(self, home: Home, db: aiosqlite.Connection, read_only: bool = False) -> None:
        self._home = home
        self._db = db
        self.read_only = read_only
        self._stamp = home.stamp()
        self._turn = anyio.Lock()
        self._version = -1

    @classmethod
    async def open(cls, home: Home) -> Store:
        """Open or make the catalogue. A lost or damaged one is made anew from the model files.

        Raises ``ModelError`` for one that a newer mlxr wrote or that can't be opened, and where the home can't be made.
        Where the home is read-only, so is the store: changes raise ``ModelError``.
        """
        try:
            read_only = not home.writable()
            if not read_only:
                home.make()
            try:
                store = await cls._opened(home, read_only)
            except Damaged as error:
                async with recovery.alone(home, read_only):
                    store = await cls._renewed(home, read_only, error)
            await store._recover()
        except sqlite3.Error as error:
            raise ModelError(f"can't open the catalogue {home.database}: {error}") from error
        except OSError as error:
            raise ModelError(f"can't use {home.root} for models: {error.strerror}; set MLXR_HOME") from error
        return store

    @classmethod
    async def _opened(cls, home: Home, read_only: bool) -> Store:
        """Raises ``Damaged``, ``ModelError`` and ``sqlite3.Error``."""
        db = await (recovery.in_memory(home) if read_only else recovery.on_disk(home, _BUSY_SECONDS))
        store = cls(home, db, read_only)
        try:
            with recovery.damage_noticed():
                await store._prepare()
        except BaseException:
            await store.close()
            raise
        return store

    @classmethod
    async def _renewed(cls, home: Home, read_only: bool, error: Damaged) -> Store:
        """An empty catalogue in place of a damaged one, unless another process has seen to that."""
        if read_only:
            log.warning("%s; it can't be mended in a read-only home", error)
            db = await recovery.connected(":memory:", _BUSY_SECONDS)
            store = cls(home, db, True)
            await store._prepare()
            return store
        try:
            return await cls._opened(home, False)
        except Damaged:
            aside = recovery.set_aside(home)
            log.warning("%s; it is kept as %s", error, aside)
            return await cls._opened(home, False)

    async def _recover(self) -> None:
        """Catalogue the model files where no model is catalogued: the catalogue was lost, since removing a model's
        last name removes its files."""
        if await self._rows("SELECT 1 FROM blobs LIMIT 1"):
            return
        found = await recovery.look(self._home)
        if not found:
            return
        async with self._change(inward=True):
            if await self._rows("SELECT 1 FROM blobs LIMIT 1"):
                return
            for model in found:
                await self._put_blob(model.blob)
                await self._put_model(model.name, model.blob.digest, model.source, model.overrides)
                for alias in model.aliases:
                    await self._put_alias(alias, model.name)
        listed = ", ".join(model.name for model in found)
        log.warning("the catalogue %s was lost; found again in %s: %s", self._home.database, self._home.models, listed)

    async def close(self) -> None:
        """Close, even when cancelled: the connection's thread must not outlive the loop."""
        with anyio.CancelScope(shield=True):
            await self._db.close()

    async def models(self) -> list[CatalogueEntry]:
        """Every model, the newest first."""
        rows = await self._rows(f"{_SELECT} ORDER BY modified DESC, models.name")
        return [self._entry(row) for row in rows]

    async def find(self, name: str) -> CatalogueEntry | None:
        """The model of that name or alias, in any case, with or without ``:latest``."""
        if not names.plain(name):
            return None
        wanted = names.key(name)
        query = f"{_SELECT} WHERE key = coalesce((SELECT model FROM aliases WHERE aliases.key = ?), ?)"
        rows = await self._rows(f"{_SELECT} WHERE key = ?", wanted) or await self._rows(query, wanted, wanted)
        return self._entry(rows[0]) if rows else None

    async def get(self, name: str) -> CatalogueEntry:
        """As ``find``; raises ``ModelNotFound``."""
        entry = await self.find(name)
        if entry is None:
            raise ModelNotFound(
                f"model {names.quoted(name)} not found; `mlxr list` shows what there is, `mlxr pull` fetches more"
            )
        return entry

    async def add(
        self,
        name: str,
        blob: Blob,
        *,
        source: str = "",
        aliases: Iterable[str] = (),
        overrides: Overrides | None = None,
        place: Callable[[], None] | None = None,
    ) -> CatalogueEntry:
        """Catalogue ``blob`` as ``name``, in place of what had that name.

        ``place`` puts the files at ``blob.path``; it runs inside the transaction and should only rename. Raises
        ``RequestError`` where the catalogue is full.
        """
        async with self._change() as gone:
            await self.require_room(name, len(_json(overrides or Overrides())) + len(_json(blob.info)))
            if place:
                place()
            previous = await self._digest_of(name)
            await self._put_blob(blob)
            await self._put_model(name, blob.digest, source, overrides or Overrides())
            for alias in aliases:
                await self._put_alias(alias, name)
            if previous and previous != blob.digest:
                gone += await self._drop_unused(previous)
        return await self.get(name)

    async def copy(self, source: str, target: str) -> CatalogueEntry:
        """Let ``target`` stand for what ``source`` does; raises ``ModelNotFound`` and ``ValueError`` (bad name)."""
        original, target = await self.get(source), names.checked(target)
        return await self.add(target, original.blob, source=original.source, overrides=original.overrides)

    async def delete(self, name: str) -> CatalogueEntry:
        """Forget a name, and its files where no other name stands for them; raises ``ModelNotFound``."""
        entry = await self.get(name)
        async with self._change() as gone:
            await self._db.execute("DELETE FROM models WHERE key = ?", (names.key(entry.name),))
            gone += await self._drop_unused(entry.blob.digest)
        return entry

    async def stale(self) -> list[CatalogueEntry]:
        """Models whose files an older mlxr read."""
        rows = await self._rows(f"{_SELECT} WHERE facts_version <> ?", INFO_VERSION)
        return [self._entry(row) for row in rows]

    async def refresh(self, digest: str, info: ModelInfo) -> None:
        """Replace what is known of a blob's files."""
        async with self._change(inward=True):
            await self._db.execute(
                "UPDATE blobs SET facts = ?, facts_version = ? WHERE digest = ?", (_json(info), INFO_VERSION, digest)
            )

    async def known_file(self, path: Path, fingerprint: str) -> tuple[str, ModelInfo] | None:
        """Digest and info of a local file, if it was read and has not changed since."""
        rows = await self._rows(
            "SELECT digest, facts FROM local_files WHERE path = ? AND fingerprint = ? AND facts_version = ?",
            str(path),
            fingerprint,
            INFO_VERSION,
        )
        return (str(rows[0][0]), msgspec.json.decode(rows[0][1], type=ModelInfo)) if rows else None

    async def remember_file(self, path: Path, fingerprint: str, digest: str, info: ModelInfo) -> None:
        async with self._change(inward=True):
            await self._db.execute(
                "INSERT OR REPLACE INTO local_files (path, fingerprint, digest, facts, facts_version)"
                " VALUES (?, ?, ?, ?, ?)",
                (str(path), fingerprint, digest, _json(info), INFO_VERSION),
            )

    async def prune(self, older_than: float) -> None:
        """Delete uploads of which no model was made. Those changed since ``older_than`` (seconds since the epoch) stay:
        somebody may be about to use them. Nothing else goes but by a name that it had: see ``strays``."""
        async with self._change() as gone:
            uploads = self._home.models.glob("uploads/sha256-*")
            gone += [path for path in uploads if path.stat().st_mtime < older_than]

    async def restore(self) -> None:
        """Put back what a process set aside that was killed before its change was one."""
        async with self._change():
            known = {self._home.models / row[0] for row in await self._rows("SELECT path FROM blobs")}
            for path, origin in files.gone(self._home).items():
                if origin in known and not origin.exists():
                    path.rename(origin)

    async def strays(self) -> list[Path]:
        """Model files that no name stands for: of an older catalogue, or placed by a process that was killed."""
        known = {self._home.models / row[0] for row in await self._rows("SELECT path FROM blobs")}
        return [path for path in recovery.model_files(self._home) if path not in known]

    async def changed_elsewhere(self) -> bool:
        """Whether another process changed the catalogue since the last call, or put another one in its place."""
        stamp, self._stamp = self._stamp, self._home.stamp()
        replaced = stamp != self._stamp if self.read_only else stamp.split(".")[0] != self._stamp.split(".")[0]
        try:
            before, self._version = self._version, int((await self._rows("PRAGMA data_version"))[0][0])
            changed = before not in (-1, self._version)
            if changed and not replaced:
                await self.models()
        except Damaged:
            replaced = True
        if replaced:
            await self._reopen()
        return replaced or changed

    def require_writable(self) -> None:
        """Raise ``ModelError`` where the catalogue can't be changed."""
        if self.read_only:
            raise ModelError(f"{self._home.root} is read-only; set MLXR_HOME to a place that can be written to")

    async def _reopen(self) -> None:
        fresh = await Store.open(self._home)
        async with self._turn:
            old, self._db = self._db, fresh._db
            self.read_only, self._version, self._stamp = fresh.read_only, fresh._version, fresh._stamp
        await old.close()

    async def _prepare(self) -> None:
        await self._write_ahead()
        await self._db.execute("PRAGMA foreign_keys = ON")
        version = int((await self._rows("PRAGMA user_version"))[0][0])
        if version < 0:
            raise Damaged(f"the catalogue {self._home.database} is damaged: its schema has the number {version}")
        if version > len(MIGRATIONS):
            raise ModelError(
                f"{self._home.database} was written by a newer mlxr (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); update mlxr or choose another MLXR_HOME"
            )
        if version < len(MIGRATIONS):
            async with self._change(inward=True):
                await migrate(self._db)
        await self._check()
        await self.changed_elsewhere()

    async def _check(self) -> None:
        """Read what there is, which is little: what is wrong with it had better show now than in a request."""
        (verdict,), *_ = await self._rows("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise Damaged(f"the catalogue {self._home.database} is damaged: {verdict}")
        await self.models()
        await self._rows("SELECT path, fingerprint, digest, facts, facts_version FROM local_files LIMIT 1")

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
        try:
            async with self._db.execute(query, values) as cursor:
                return list(await cursor.fetchall())
        except sqlite3.Error as error:
            if recovery.is_damage(error):
                raise Damaged(f"the catalogue {self._home.database} is damaged: {error}") from error
            raise ModelError(f"can't read the catalogue {self._home.database}: {error}") from error

    @asynccontextmanager
    async def _change(self, *, inward: bool = False) -> AsyncIterator[list[Path]]:
        """One transaction. Files put into the list it gives are moved away inside it, deleted after it, and moved
        back if it fails. ``inward``: it concerns what is known of files only, so that a read-only store takes it too,
        into its memory."""
        if not inward:
            self.require_writable()
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
                    if isinstance(error, sqlite3.OperationalError) and not recovery.is_damage(error):
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
            (blob.digest, str(stored), blob.size, _json(blob.info), INFO_VERSION),
        )

    async def _put_model(self, name: str, digest: str, source: str, overrides: Overrides) -> None:
        await self._db.execute("DELETE FROM aliases WHERE key = ?", (names.key(name),))
        await self._db.execute(
            "INSERT INTO models (name, key, digest, source, modified, overrides) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, source = excluded.source,"
            " modified = excluded.modified, overrides = excluded.overrides",
            (name, names.key(name), digest, source, time.time(), _json(overrides)),
        )

    async def require_room(self, name: str, texts: int = 0) -> None:
        """Raise ``RequestError`` where the catalogue has no room for ``name`` with so many characters of ``texts``, in
        place of what has that name."""
        query = """
            SELECT count(*), total(length(overrides) + length(facts)) FROM models JOIN blobs USING (digest)
            WHERE key <> ?
        """
        ((count, size),) = await self._rows(query, names.key(name))
        if count >= MOST_MODELS or size + texts > MOST_TEXTS:
            message = _FULL.format(name=names.quoted(name), models=MOST_MODELS, megabytes=MOST_TEXTS >> 20)
            raise RequestError(ErrorInfo(ErrorCode.INVALID, message, param="model"))

    async def _put_alias(self, alias: str, name: str) -> None:
        await self._db.execute(
            "INSERT OR REPLACE INTO aliases (key, alias, model) VALUES (?, ?, ?)",
            (names.key(alias), alias, names.key(name)),
        )

    async def _drop_unused(self, digest: str) -> list[Path]:
        """Forget a blob that no name stands for; its files, if they are ours to delete."""
        if await self._rows("SELECT 1 FROM models WHERE digest = ? LIMIT 1", digest):
            return []
        rows = await self._rows("SELECT path FROM blobs WHERE digest = ?", digest)
        await self._db.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
        paths = [self._home.models / row[0] for row in rows if not Path(row[0]).is_absolute()]
        return [path for path in paths if path.exists()]

    def _entry(self, row: Any) -> CatalogueEntry:
        name, digest, path, size, facts, source, modified, overrides, aliases = row
        with recovery.damage_noticed():
            return CatalogueEntry(
                name=msgspec.convert(name, str),
                blob=Blob(digest, self._home.models / path, msgspec.convert(size, int), decode(facts, type=ModelInfo)),
                modified=min(max(msgspec.convert(modified, float), 0.0), LATEST),
                source=msgspec.convert(source, str),
                aliases=aliases.split("\n") if aliases else [],
                overrides=decode(overrides, type=Overrides),
            )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

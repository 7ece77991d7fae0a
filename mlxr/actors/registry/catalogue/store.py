"""The catalogue: which names there are, what they stand for, and which files are still needed.

Several processes may use one catalogue at once (a server and ``mlxr pull``). Each change is one immediate
transaction, and files enter or leave ``models/`` inside it: SQLite's write lock is what keeps a delete from taking
away a file that another process is just adding.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread
from msgspec.json import encode

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.damage import Damaged
from mlxr.actors.registry.catalogue.database import Database
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, stat_model
from mlxr.actors.registry.catalogue.model_configs import ModelConfigs, state_of
from mlxr.actors.registry.catalogue.opening import open_database
from mlxr.actors.registry.catalogue.rebuild import find_models, model_files
from mlxr.actors.registry.catalogue.tables import Tables
from mlxr.models import names
from mlxr.models.near_names import suggestion
from mlxr.runtime.errors import ModelError, ModelNotFound, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

MOST_MODELS = 4096
MOST_TEXTS = 32 << 20
"""Names in the catalogue, and characters of what is known of them and laid over them, together: all of it is kept in
memory, and told to every frontend when anything changes."""
_FULL = "the catalogue can't take {name}: it may have {models} models with {megabytes} MiB of texts; remove some first"


class UnusedFile(NamedTuple):
    """A file or folder that no model needs; ``size`` in bytes."""

    path: Path
    size: int


class Store:
    """An open catalogue; ``await Store.open(home)``, and close it. ``configs``: what files say of models by name."""

    def __init__(self, home: Home, db: Database, version: int, configs: ModelConfigs) -> None:
        self._home = home
        self._db = db
        self.configs = configs
        self._tables = Tables(home, db, configs)
        self._configs_state = state_of(home.models_d)
        self._stamp = home.stamp()
        self._version = version

    @classmethod
    async def open(cls, home: Home, *, copy: bool = False) -> Store:
        """Opens or makes the catalogue. A lost or damaged one is made anew from the model files.

        Raises ``ConfigError`` for a file on a model that is wrong, ``ModelError`` for a catalogue that a newer mlxr
        wrote or that can't be opened, and where the home can't be made. Where the home is read-only, so is the store:
        changes raise ``ModelError``, and so is a ``copy``, which needs no room on the disk.
        """
        configs = await to_thread.run_sync(ModelConfigs.load, home)
        db = await open_database(home, lambda db: Tables(home, db, configs).check(), copy)
        try:
            store = cls(home, db, await db.version(), configs)
            await store._rebuild()
        except BaseException:
            await db.close()
            raise
        return store

    async def _rebuild(self) -> None:
        """Catalogues the model files where no model is catalogued: the catalogue was lost, since removing a model's
        last name removes its files."""
        if await self._db.rows("SELECT 1 FROM blobs LIMIT 1"):
            return
        found = await find_models(self._home)
        if not found:
            return
        async with self._db.transaction():
            if await self._db.rows("SELECT 1 FROM blobs LIMIT 1"):
                return
            for model in found:
                await self._tables.put_blob(model.blob)
                await self._tables.put_model(model.name, model.blob.digest, model.source, model.overrides)
                for alias in model.aliases:
                    await self._tables.put_alias(alias, model.name)
        listed = ", ".join(model.name for model in found)
        log.warning("the catalogue %s was lost; found again in %s: %s", self._home.database, self._home.models, listed)

    @property
    def read_only(self) -> bool:
        return self._db.read_only

    async def reload_configs(self) -> bool:
        """Reads what the user's files say of models anew where one has changed; returns whether that is so. Raises
        ``ConfigError``, once, for a file that is wrong: what was known stands then."""
        state = await to_thread.run_sync(state_of, self._home.models_d)
        if state == self._configs_state:
            return False
        self._configs_state = state
        self.configs = await to_thread.run_sync(ModelConfigs.load, self._home)
        self._tables = Tables(self._home, self._db, self.configs)
        return True

    async def close(self) -> None:
        await self._db.close()

    async def models(self) -> list[CatalogueEntry]:
        """Every model, the newest first."""
        return await self._tables.entries("ORDER BY modified DESC, models.name")

    async def find(self, name: str) -> CatalogueEntry | None:
        """Returns the model of that name or alias, in any case, with or without ``:latest``."""
        return await self._tables.find(name) if names.plain(name) else None

    async def spellings(self) -> list[str]:
        """Every name and alias, the newest models' first."""
        return await self._tables.spellings()

    async def get(self, name: str) -> CatalogueEntry:
        """As ``find``; raises ``ModelNotFound``."""
        entry = await self.find(name)
        if entry is None:
            near = suggestion(name, await self.spellings())
            raise ModelNotFound(
                f"model {names.quoted(name)} not found; {near}`mlxr list` shows what there is, `mlxr pull` fetches more"
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
        adapters: Collection[Blob] = (),
        withdraw: bool = False,
    ) -> CatalogueEntry:
        """Catalogues ``blob`` as ``name``, in place of what had that name. ``adapters``: files of those in
        ``overrides`` that may be new.

        ``place`` puts the files at ``blob.path``; it runs inside the transaction and should only rename. ``withdraw``:
        whether they go again should the catalogue not take them. Raises ``RequestError`` where the catalogue is full.
        """
        new = [part.path for part in (blob, *adapters) if withdraw and not part.path.exists()]
        try:
            await self._add(name, blob, source, aliases, overrides, place, adapters)
        except BaseException:
            await self._withdraw(new)
            raise
        return await self.get(name)

    async def _add(
        self,
        name: str,
        blob: Blob,
        source: str,
        aliases: Iterable[str],
        overrides: Overrides | None,
        place: Callable[[], None] | None,
        adapters: Iterable[Blob],
    ) -> None:
        async with self._change() as gone:
            await self.require_room(name, len(encode(overrides or Overrides())) + len(encode(blob.info)))
            fresh = place is not None and not blob.path.exists()
            if place:
                place()
            if fresh:
                with suppress(NoModelAtPath):
                    seen = stat_model(blob.path)
                    await self._tables.put_local_file(blob.path, seen.fingerprint, blob.digest, blob.info)
            previous = await self._tables.digest_of(name)
            applied = await self._tables.adapters_of(name)
            for part in (blob, *adapters):
                # Nobody can remove it within a transaction, but before: with the last name that it had.
                if not part.path.exists():
                    raise ModelError(f"can't make {names.quoted(name)}: its files were removed meanwhile; try again")
                await self._tables.put_blob(part)
            await self._tables.put_model(name, blob.digest, source, overrides or Overrides())
            for alias in aliases:
                await self._tables.put_alias(alias, name)
            if previous and previous != blob.digest:
                gone += await self._tables.drop_unused(previous)
            for digest in applied:
                gone += await self._tables.drop_unused(digest)

    async def _withdraw(self, placed: list[Path]) -> None:
        """Removes files that were placed for a change that failed, but those that another process made use of."""
        with suppress(ModelError, OSError, sqlite3.Error):
            async with self._db.transaction():
                known = await self._tables.paths()
                for path in placed:
                    if path not in known:
                        files.remove(path)

    async def copy(self, source: str, target: str) -> CatalogueEntry:
        """Lets ``target`` stand for what ``source`` does; raises ``ModelNotFound`` and ``ValueError`` (bad name)."""
        original, target = await self.get(source), names.checked(target)
        return await self.add(target, original.blob, source=original.source, overrides=original.overrides)

    async def delete(self, name: str) -> CatalogueEntry:
        """Forgets a name, and its files where no other name stands for them; raises ``ModelNotFound``."""
        entry = await self.get(name)
        async with self._change() as gone:
            await self._tables.remove_model(entry.name)
            for digest in (entry.blob.digest, *(each.digest for each in entry.overrides.adapters)):
                gone += await self._tables.drop_unused(digest)
        return entry

    async def stale(self) -> list[CatalogueEntry]:
        """Models whose files an older mlxr read."""
        return await self._tables.stale()

    async def refresh(self, digest: str, info: ModelInfo) -> None:
        """Replaces what is known of a blob's files."""
        async with self._db.transaction():
            await self._tables.put_info(digest, info)

    async def known_file(self, path: Path, fingerprint: str) -> tuple[str, ModelInfo] | None:
        """Digest and info of a local file, if it was read and has not changed since."""
        return await self._tables.local_file(path, fingerprint)

    async def content_of(self, blob: Blob) -> str:
        """Returns the digest of a model's files if they are known to be what they were when it was taken, however they
        are touched or copied since; '' where nobody knows. Files that have changed are read for that."""
        try:
            seen = await to_thread.run_sync(stat_model, blob.path)
            if seen.fingerprint == blob.fingerprint:
                return blob.digest
            known = await self._tables.digests_at(blob.path)
            if known and seen.fingerprint not in known:
                digest = await to_thread.run_sync(files.digest_of, blob.path)
                if await to_thread.run_sync(stat_model, blob.path) != seen:
                    return ""
                with suppress(ModelError):  # on a full disk it is read again next time
                    await self.remember_file(blob.path, seen.fingerprint, digest, blob.info)
                return digest
        except (NoModelAtPath, OSError, ValueError):
            return ""
        return known.get(seen.fingerprint, "")

    async def remember_file(self, path: Path, fingerprint: str, digest: str, info: ModelInfo) -> None:
        """Notes them for ``known_file``."""
        async with self._db.transaction():
            await self._tables.put_local_file(path, fingerprint, digest, info)

    async def unused(self, waiting: float) -> list[UnusedFile]:
        """Returns the model files that no name stands for, and the uploads of which no model was made in ``waiting``
        seconds."""
        found: list[UnusedFile] = []
        for path in [*await self.orphans(), *self._uploads(time.time() - waiting)]:
            with suppress(FileNotFoundError):  # somebody else removed it meanwhile
                found.append(UnusedFile(path, files.size_of(path)))
        return found

    async def collect(self, waiting: float) -> list[UnusedFile]:
        """Removes what is ``unused``; returns it. Nobody can be about to name one of the files: they are placed and
        named in one transaction."""
        async with self._change() as gone:
            unused = await self.unused(waiting)
            gone += [file.path for file in unused]
        return unused

    async def prune(self, older_than: float) -> None:
        """Deletes uploads of which no model was made. Those changed since ``older_than`` (seconds since the epoch)
        stay: somebody may be about to use them. Nothing else goes but by a name that it had: see ``orphans``."""
        async with self._change() as gone:
            gone += self._uploads(older_than)

    def _uploads(self, older_than: float) -> list[Path]:
        uploads = self._home.models.glob("uploads/sha256-*")
        return [path for path in uploads if path.stat().st_mtime < older_than]

    async def restore(self) -> None:
        """Puts back what a process set aside that was killed before its change was one, and removes what was set aside
        for good. Here alone: within a transaction nobody else is between the one and the other."""
        async with self._change():
            known = await self._tables.paths()
            for path, origin in files.gone(self._home).items():
                if origin in known and not origin.exists():
                    path.rename(origin)
                else:
                    await to_thread.run_sync(files.remove, path)

    async def orphans(self) -> list[Path]:
        """Model files that no name stands for: of an older catalogue, or placed by a process that was killed."""
        known = await self._tables.paths()
        return [path for path in model_files(self._home) if path not in known]

    async def changed_elsewhere(self) -> bool:
        """Whether another process changed the catalogue since the last call, or put another one in its place."""
        stamp, self._stamp = self._stamp, self._home.stamp()
        replaced = stamp != self._stamp if self.read_only else stamp.split(".")[0] != self._stamp.split(".")[0]
        try:
            before, self._version = self._version, await self._db.version()
            changed = before != self._version
            if changed and not replaced:
                await self.models()
        except Damaged:
            replaced = True
        if replaced:
            await self._reopen()
        return replaced or changed

    async def stamp(self) -> str:
        """Returns ``Home.stamp`` for who reads the catalogue behind it."""
        stamp = self._home.stamp()
        if self.read_only or stamp == self._home.state():
            return stamp
        async with self._db.alone() as alone:
            return self._home.stamp(alone=alone)

    def require_writable(self) -> None:
        """Raises ``ModelError`` where the catalogue can't be changed."""
        if self.read_only:
            raise ModelError(f"{self._home.root} is read-only; set MLXR_HOME to a place that can be written to")

    async def _reopen(self) -> None:
        fresh = await Store.open(self._home)
        await self._db.replace(fresh._db)
        self._version, self._stamp = fresh._version, fresh._stamp

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[list[Path]]:
        """A transaction that changes what names stand for; raises ``ModelError`` where that can't be changed."""
        self.require_writable()
        async with self._db.transaction() as gone:
            yield gone

    async def require_room(self, name: str, texts: int = 0) -> None:
        """Raises ``RequestError`` where the catalogue has no room for ``name`` with so many characters of ``texts``, in
        place of what has that name."""
        count, size = await self._tables.extent_without(name)
        if count >= MOST_MODELS or size + texts > MOST_TEXTS:
            message = _FULL.format(name=names.quoted(name), models=MOST_MODELS, megabytes=MOST_TEXTS >> 20)
            raise RequestError(ErrorInfo(ErrorCode.INVALID, message, param="model"))

"""The rows of the catalogue's tables, and the structs they are. ``migrations.py`` has the schema.

Whoever changes rows here does so within ``Database.transaction``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.json import decode

from mlxr.actors.registry.catalogue.damage import raising_damaged
from mlxr.actors.registry.catalogue.database import Database
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.local_files import LATEST
from mlxr.actors.registry.catalogue.model_configs import ModelConfigs
from mlxr.models import names
from mlxr.runtime.messages.common import Adapter
from mlxr.runtime.model_info import INFO_VERSION, ModelInfo
from mlxr.runtime.paths import Home

_SELECT = """
    SELECT models.name, models.digest, path, size, facts, tool, fingerprint, source, modified, overrides,
        (SELECT group_concat(alias, char(10)) FROM aliases WHERE model = models.key)
    FROM models JOIN blobs USING (digest)
"""


class Tables:
    """Reads and writes rows of ``db``; what ``configs`` say of a model comes with it.

    Raises ``Damaged`` and ``ModelError`` as ``Database`` does.
    """

    def __init__(self, home: Home, db: Database, configs: ModelConfigs) -> None:
        self._home = home
        self._db = db
        self._configs = configs

    async def check(self) -> None:
        """Reads what there is, which is little: what is wrong with it had better show now than in a request."""
        await self.entries()
        await self._db.rows("SELECT path, fingerprint, digest, facts, facts_version FROM local_files LIMIT 1")

    async def entries(self, condition: str = "", *values: Any) -> list[CatalogueEntry]:
        """Returns the entries that a ``WHERE`` or ``ORDER BY`` asks for."""
        return [self._entry(row) for row in await self._db.rows(f"{_SELECT} {condition}", *values)]

    async def find(self, name: str) -> CatalogueEntry | None:
        """Returns the model of that name, else of that alias, in any case."""
        key = names.key(name)
        by_alias = "WHERE key = (SELECT model FROM aliases WHERE aliases.key = ?)"
        found = await self.entries("WHERE key = ?", key) or await self.entries(by_alias, key)
        return found[0] if found else None

    async def spellings(self) -> list[str]:
        """Every name and alias, the newest models' first."""
        named = [str(row[0]) for row in await self._db.rows("SELECT name FROM models ORDER BY modified DESC")]
        return named + [str(row[0]) for row in await self._db.rows("SELECT alias FROM aliases")]

    async def stale(self) -> list[CatalogueEntry]:
        """Returns the entries whose files an older mlxr read."""
        return await self.entries("WHERE facts_version <> ?", INFO_VERSION)

    async def paths(self) -> set[Path]:
        """Returns where the files of all models are."""
        return {self._home.models / row[0] for row in await self._db.rows("SELECT path FROM blobs")}

    async def extent_without(self, name: str) -> tuple[int, int]:
        """Returns how many names there are beside ``name``, and how many characters of what is known of them."""
        query = """
            SELECT count(*), total(length(overrides) + length(facts)) FROM models JOIN blobs USING (digest)
            WHERE key <> ?
        """
        ((count, size),) = await self._db.rows(query, names.key(name))
        return int(count), int(size)

    async def digest_of(self, name: str) -> str | None:
        """Of the files that ``name`` stands for."""
        rows = await self._db.rows("SELECT digest FROM models WHERE key = ?", names.key(name))
        return str(rows[0][0]) if rows else None

    async def adapters_of(self, name: str) -> list[str]:
        """Digests of the adapters that ``name`` was made with."""
        rows = await self._db.rows("SELECT overrides FROM models WHERE key = ?", names.key(name))
        return [each.digest for each in decode(rows[0][0], type=Overrides).adapters] if rows else []

    async def put_blob(self, blob: Blob) -> None:
        """Notes files by their digest; of those that are known, where they are and what they say. Files in a tool's
        store do not take the place of files of one's own."""
        path = blob.path
        stored = path.relative_to(self._home.models) if path.is_relative_to(self._home.models) else path
        await self._db.execute(
            "INSERT INTO blobs (digest, path, size, facts, facts_version, tool, fingerprint)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET path = excluded.path, facts = excluded.facts,"
            " facts_version = excluded.facts_version, tool = excluded.tool, fingerprint = excluded.fingerprint"
            " WHERE excluded.tool = '' OR blobs.tool <> ''",
            blob.digest,
            str(stored),
            blob.size,
            _json(blob.info),
            INFO_VERSION,
            blob.tool,
            blob.fingerprint,
        )

    async def put_model(self, name: str, digest: str, source: str, overrides: Overrides) -> None:
        """Lets ``name`` stand for files, as of now; it is nobody's alias any more."""
        await self._db.execute("DELETE FROM aliases WHERE key = ?", names.key(name))
        await self._db.execute(
            "INSERT INTO models (name, key, digest, source, modified, overrides) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, source = excluded.source,"
            " modified = excluded.modified, overrides = excluded.overrides",
            name,
            names.key(name),
            digest,
            source,
            time.time(),
            _json(overrides),
        )

    async def put_alias(self, alias: str, name: str) -> None:
        """Lets ``alias`` stand for what ``name`` does."""
        await self._db.execute(
            "INSERT OR REPLACE INTO aliases (key, alias, model) VALUES (?, ?, ?)",
            names.key(alias),
            alias,
            names.key(name),
        )

    async def drop_unused(self, digest: str) -> list[Path]:
        """Forgets a blob that no name stands for, nor is made with; its files, if they are ours to delete."""
        used = "SELECT 1 FROM models WHERE digest = ? OR instr(overrides, ?) > 0 LIMIT 1"
        if await self._db.rows(used, digest, f'"{digest}"'):
            return []
        rows = await self._db.rows("SELECT path FROM blobs WHERE digest = ?", digest)
        await self._db.execute("DELETE FROM blobs WHERE digest = ?", digest)
        paths = [self._home.models / row[0] for row in rows if not Path(row[0]).is_absolute()]
        return [path for path in paths if path.exists()]

    async def remove_model(self, name: str) -> None:
        """Forgets a name and its aliases."""
        await self._db.execute("DELETE FROM models WHERE key = ?", names.key(name))

    async def put_info(self, digest: str, info: ModelInfo) -> None:
        """Replaces what the files of that digest say."""
        update = "UPDATE blobs SET facts = ?, facts_version = ? WHERE digest = ?"
        await self._db.execute(update, _json(info), INFO_VERSION, digest)

    async def local_file(self, path: Path, fingerprint: str) -> tuple[str, ModelInfo] | None:
        """Digest and info of a local file, if it was read and has not changed since."""
        query = "SELECT digest, facts FROM local_files WHERE path = ? AND fingerprint = ? AND facts_version = ?"
        rows = await self._db.rows(query, str(path), fingerprint, INFO_VERSION)
        return (str(rows[0][0]), decode(rows[0][1], type=ModelInfo)) if rows else None

    async def digests_at(self, path: Path) -> dict[str, str]:
        """Digests of what lay at a path, by fingerprints."""
        query = "SELECT fingerprint, digest FROM local_files WHERE path = ?"
        return {str(fingerprint): str(digest) for fingerprint, digest in await self._db.rows(query, str(path))}

    async def put_local_file(self, path: Path, fingerprint: str, digest: str, info: ModelInfo) -> None:
        insert = "INSERT OR REPLACE INTO local_files (path, fingerprint, digest, facts, facts_version) VALUES"
        values = (str(path), fingerprint, digest, _json(info), INFO_VERSION)
        await self._db.execute(f"{insert} (?, ?, ?, ?, ?)", *values)

    def _entry(self, row: Any) -> CatalogueEntry:
        name, digest, path, size, facts, tool, fingerprint, source, modified, overrides, aliases = row
        with raising_damaged():
            laid_over = decode(overrides, type=Overrides)
            applied = [
                Adapter(each.name, digest=each.digest, path=str(self._home.models / each.path))
                for each in laid_over.adapters
            ]
            known_as = aliases.split("\n") if aliases else []
            return CatalogueEntry(
                name=msgspec.convert(name, str),
                blob=Blob(
                    digest,
                    self._home.models / path,
                    msgspec.convert(size, int),
                    decode(facts, type=ModelInfo),
                    msgspec.convert(tool, str),
                    msgspec.convert(fingerprint, str),
                ),
                modified=min(max(msgspec.convert(modified, float), 0.0), LATEST),
                source=msgspec.convert(source, str),
                aliases=known_as,
                overrides=laid_over,
                adapters=applied,
                config=self._configs.of(name, known_as),
            )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

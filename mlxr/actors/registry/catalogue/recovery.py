"""Opening a catalogue that may be damaged, lost or read-only, and making one anew from the model files.

What is lost with a catalogue are names, and what was laid over files. What it says of files, they say again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import aiosqlite
import anyio
import msgspec

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.aliases import BUILT_IN
from mlxr.actors.registry.catalogue.entry import Blob, Overrides
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.models import names
from mlxr.models.errors import UnusableModelError
from mlxr.models.gguf import GGUFFile
from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

_BROKEN_SCHEMA = re.compile(
    r"no such (table|column)|already exists|duplicate column|has no column|malformed|Could not decode"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LOCK_SECONDS = 0.05


class Damaged(ModelError):  # noqa: N818  (reads as what happened)
    """A catalogue can't be read, and never will be."""


class Found(NamedTuple):
    """A model of a lost catalogue."""

    name: str
    blob: Blob
    source: str = ""
    aliases: tuple[str, ...] = ()
    overrides: Overrides = Overrides()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no catalogue, and not that the system keeps it from it."""
    if isinstance(error, sqlite3.OperationalError):
        return bool(_BROKEN_SCHEMA.search(str(error)))
    return type(error) is sqlite3.DatabaseError  # its subclasses blame the caller


@contextmanager
def damage_noticed() -> Iterator[None]:
    """Raise ``Damaged`` for what SQLite and the decoders of what it holds say of a damaged catalogue."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise Damaged(f"the catalogue is damaged: {error}") from error
        raise
    except (msgspec.MsgspecError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"the catalogue is damaged: {error}") from error


async def connected(database: str | Path, patience: float, *, uri: bool = False) -> aiosqlite.Connection:
    """A connection in autocommit mode that waits ``patience`` seconds for others."""
    return await aiosqlite.connect(database, isolation_level=None, timeout=patience, uri=uri)


async def on_disk(home: Home, patience: float) -> aiosqlite.Connection:
    """Open the catalogue itself; its owner's alone, as SQLite makes the files beside it too. Raises ``ModelError``,
    ``OSError`` and ``sqlite3.Error``."""
    if home.database.exists() and not home.database.is_file():
        raise ModelError(f"can't open the catalogue {home.database}: it is no regular file")
    # Not opened where it exists: closing a file drops the locks that SQLite holds on it in this process.
    with suppress(FileExistsError):
        os.close(os.open(home.database, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return await connected(home.database, patience)


async def in_memory(home: Home) -> aiosqlite.Connection:
    """A copy of a catalogue that can't be written to; an empty one where there is none.

    SQLite wants to write beside a catalogue that it reads, unless it is told that nobody changes it: a copy in an image
    is such a one. Raises ``Damaged`` and ``sqlite3.Error``.
    """
    memory = await connected(":memory:", 1)
    if not home.database.exists():
        return memory
    try:
        with damage_noticed():
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
    source = await connected(f"file:{quote(str(home.database))}?{how}", 1, uri=True)
    try:
        await source.backup(target)
    finally:
        await source.close()


@asynccontextmanager
async def alone(home: Home, read_only: bool) -> AsyncIterator[None]:
    """Hold a lock among processes that mend the catalogue; none is needed where nobody can."""
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


def model_files(home: Home) -> list[Path]:
    """Every file and folder that is named after its content, as models are."""
    blobs = [path for path in home.models.glob("blobs/sha256-*") if _DIGEST.fullmatch(path.name[7:])]
    folders = [path for path in home.models.glob("*") if _DIGEST.fullmatch(path.name) and path.is_dir()]
    return sorted([*blobs, *folders])


async def look(home: Home) -> list[Found]:
    """The models in ``models/``, as good as they can be told; what is none is left alone.

    Names are those of a catalogue that was set aside, if they can be read there; else an alias that is known by its
    file, else what the file calls itself.
    """
    paths = await anyio.to_thread.run_sync(model_files, home)
    if not paths:
        return []
    found: list[Found] = []
    taken: set[str] = set()
    remembered = await anyio.to_thread.run_sync(_remembered, home)
    reader = MetadataReader.sandboxed()
    try:
        for path in paths:
            digest = path.name.removeprefix("sha256-")
            try:
                info = await reader.known(path)
                size = await anyio.to_thread.run_sync(files.size_of, path)
                models = remembered.get(digest) or [await anyio.to_thread.run_sync(_named, path, digest)]
            except (OSError, UnusableModelError, ValueError) as error:
                log.warning("%s holds no model that can be used: %s", path, error)
                continue
            for name, source, aliases, overrides in models:
                found.append(Found(_unique(name, taken), Blob(digest, path, size, info), source, aliases, overrides))
    finally:
        with anyio.CancelScope(shield=True):
            await reader.close()
    return found


_Told = tuple[str, str, tuple[str, ...], Overrides]
"""Name, source, aliases and overrides."""


def _named(path: Path, digest: str) -> _Told:
    alias = next((alias for alias in BUILT_IN if alias.digest == digest), None)
    if alias:
        return alias.name, alias.source, (alias.source,), Overrides()
    own = "" if path.is_dir() else str(GGUFFile.open(path).metadata.get("general.name", ""))
    tidy = re.sub(r"[^A-Za-z0-9._-]+", "-", own)[:100].strip("-._")
    return tidy or f"recovered-{digest[:12]}", "", (), Overrides()


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while names.key(unique) in taken:
        number += 1
        unique = f"{name}-{number}"
    taken.add(names.key(unique))
    return unique


def _remembered(home: Home) -> dict[str, list[_Told]]:
    """What the catalogue that was set aside last says of names, by digest, as far as it can be read."""
    aside = sorted(path for path in home.root.glob(f"{home.database.name}.damaged-*") if path.name[-1].isdigit())
    told: dict[str, list[_Told]] = {}
    if not aside:
        return told
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{quote(str(aside[-1]))}?mode=ro", uri=True)) as db:
        for name, digest, source, overrides in db.execute("SELECT name, digest, source, overrides FROM models"):
            with suppress(ValueError, TypeError, AttributeError, msgspec.MsgspecError):
                laid_over = msgspec.json.decode(overrides, type=Overrides)
                aliases = (source,) if source else ()
                told.setdefault(digest, []).append((names.checked(name), source, aliases, laid_over))
    return told

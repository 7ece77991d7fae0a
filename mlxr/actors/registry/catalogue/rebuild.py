"""Making a catalogue anew from the model files, where it was lost or damaged.

What is lost with a catalogue are names, and what was laid over files. What it says of files, they say again.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import anyio
import msgspec

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.aliases import BUILT_IN
from mlxr.actors.registry.catalogue.entry import Blob, Overrides
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.models import names
from mlxr.models.errors import UnusableModelError
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FoundModel(NamedTuple):
    """A model of a lost catalogue."""

    name: str
    blob: Blob
    source: str = ""
    aliases: tuple[str, ...] = ()
    overrides: Overrides = Overrides()


def model_files(home: Home) -> list[Path]:
    """Every file and folder that is named after its content, as models are."""
    blobs = [path for path in home.models.glob("blobs/sha256-*") if _DIGEST.fullmatch(path.name[7:])]
    folders = [path for path in home.models.glob("*") if _DIGEST.fullmatch(path.name) and path.is_dir()]
    return sorted([*blobs, *folders])


async def find_models(home: Home) -> list[FoundModel]:
    """Returns the models in ``models/``, as good as they can be told; what is none is left alone.

    Names are those of a catalogue that was set aside, if they can be read there; else an alias that is known by its
    file, else what the file calls itself.
    """
    paths = await anyio.to_thread.run_sync(model_files, home)
    if not paths:
        return []
    found: list[FoundModel] = []
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
                found.append(
                    FoundModel(_unique(name, taken), Blob(digest, path, size, info), source, aliases, overrides)
                )
    finally:
        with anyio.CancelScope(shield=True):
            await reader.close()
    return found


_Remembered = tuple[str, str, tuple[str, ...], Overrides]
"""Name, source, aliases and overrides."""


def _named(path: Path, digest: str) -> _Remembered:
    alias = next((alias for alias in BUILT_IN if alias.digest == digest), None)
    if alias:
        return alias.name, alias.source, (alias.source,), Overrides()
    # Where no catalogue is lost, a server starts without it.
    from mlxr.models.formats.gguf.file import GGUFFile

    own = str(GGUFFile.open(path, GGUFFile.type_of(path)).metadata.get("general.name", "")) if holds_gguf(path) else ""
    tidy = re.sub(r"[^A-Za-z0-9._-]+", "-", own)[:100].strip("-._")
    return tidy or f"recovered-{digest[:12]}", "", (), Overrides()


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while names.key(unique) in taken:
        number += 1
        unique = f"{name}-{number}"
    taken.add(names.key(unique))
    return unique


def _remembered(home: Home) -> dict[str, list[_Remembered]]:
    """What the catalogue that was set aside last says of names, by digest, as far as it can be read."""
    aside = sorted(path for path in home.root.glob(f"{home.database.name}.damaged-*") if path.name[-1].isdigit())
    told: dict[str, list[_Remembered]] = {}
    if not aside:
        return told
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{quote(str(aside[-1]))}?mode=ro", uri=True)) as db:
        for name, digest, source, overrides in db.execute("SELECT name, digest, source, overrides FROM models"):
            with suppress(ValueError, TypeError, AttributeError, msgspec.MsgspecError):
                laid_over = msgspec.json.decode(overrides, type=Overrides)
                aliases = (source,) if source else ()
                told.setdefault(digest, []).append((names.checked(name), source, aliases, laid_over))
    return told

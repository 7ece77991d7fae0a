"""Files of a model that is being made: where they are until it is catalogued, and where they go then."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path, PurePosixPath

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import MOST_MEMBERS
from mlxr.actors.registry.catalogue.uploads import parse_digest
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.paths import Home

MODEL_FILES = frozenset({".safetensors", ".gguf", ".json", ".jinja", ".txt", ".model", ".md"})
"""How the names of files in an uploaded model folder end. No tool runs such a file, whatever directory it is started
in or given: a ``setup.py`` or ``pyproject.toml`` would be another matter."""
_FILE_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class StagedFiles:
    """Owns the files of one model until ``place``, in a directory that no other process tidies up meanwhile. Each blob
    that it returns has the path that its files will have.

    reader: reads what files say.
    """

    def __init__(self, home: Home, reader: MetadataReader, staging: Path) -> None:
        self._home, self._reader, self._staging = home, reader, staging
        self._now: dict[Path, Path] = {}

    @classmethod
    @asynccontextmanager
    async def begun(cls, home: Home, reader: MetadataReader) -> AsyncIterator[StagedFiles]:
        """What was not placed by the end of the block is removed, but uploads."""
        async with staging_directory(home, f"create:{secrets.token_hex(8)}", lambda: None) as staging:
            try:
                yield cls(home, reader, staging)
            finally:
                clear(staging, resumable=False)

    def now(self, blob: Blob) -> Path:
        """Returns where the files of ``blob`` are."""
        return self._now.get(blob.path, blob.path)

    def place(self, blobs: Iterable[Blob]) -> None:
        """Puts the files of ``blobs`` where models' files are: within the transaction that names them."""
        for blob in blobs:
            now = self.now(blob)
            if now.is_relative_to(self._staging):
                files.place_new(self._home, now, blob.path)
            elif now != blob.path:
                files.adopt(self._home, blob.digest)

    async def copied(self, entry: CatalogueEntry) -> CatalogueEntry:
        """``entry`` with a copy of its local file: what is catalogued must not change."""
        blob = entry.blob
        with files.space_for(files.partial(self._home), blob.size):
            out, digest = await to_thread.run_sync(files.copy_model, blob.path, self._work())
        return structs.replace(entry, blob=self._staged(structs.replace(blob, digest=digest), out), source="")

    async def of_uploads(self, wanted: dict[str, str], field: str = "files") -> Blob:
        """Uploaded files, digests by name, as one model or adapter: a single GGUF file, or a folder.

        Raises ``ModelNotFound`` for one that is not here, ``ValueError``, ``UnusableModelError``.
        """
        if len(wanted) > MOST_MEMBERS:
            raise ValueError(f"`{field}` has {len(wanted)} entries; a model has at most {MOST_MEMBERS}")
        paths: dict[str, Path] = {}
        for name, given in wanted.items():
            path = files.find(self._home, parse_digest(given))
            if path is None:
                what = f"the file {names.quoted(name)} ({given})"
                raise ModelNotFound(f"{what} has not been uploaded to /api/blobs")
            if path.parent == files.uploads(self._home):
                # Old ones are swept up, which nobody seems to be about to use.
                with suppress(FileNotFoundError):
                    os.utime(path)
            paths[name] = path
        if len(paths) > 1:
            return await self._folder(paths)
        (path,) = paths.values()
        digest = path.name.removeprefix("sha256-")
        info = await self._reader.usable(path)
        blob = Blob(digest, files.blob_path(self._home, digest), files.size_of(path), info)
        self._now[blob.path] = path
        return blob

    async def _folder(self, paths: dict[str, Path]) -> Blob:
        work = self._work()
        for name, path in paths.items():
            _check_file_name(name)
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, work / name)
        info = await self._reader.usable(work)
        digest, size = await to_thread.run_sync(files.hash_folder, work), files.size_of(work)
        return self._staged(Blob(digest, work, size, info), work)

    def _work(self) -> Path:
        return self._staging / secrets.token_hex(8)

    def _staged(self, blob: Blob, now: Path) -> Blob:
        final = (files.folder_path if now.is_dir() else files.blob_path)(self._home, blob.digest)
        self._now[final] = now
        return structs.replace(blob, path=final)


def _check_file_name(name: str) -> None:
    if not _FILE_NAME.fullmatch(name) or PurePosixPath(name).suffix not in MODEL_FILES:
        kinds = ", ".join(sorted(MODEL_FILES))
        raise ValueError(f"{names.quoted(name)} is no file name within a model; a model folder has files in {kinds}")

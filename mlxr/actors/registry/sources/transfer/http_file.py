"""A file at an address of the web, read by ranges."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp

from mlxr.actors.registry.sources.transfer.access import Access
from mlxr.actors.registry.sources.transfer.http_client import (
    ANYBODY,
    Denied,
    HttpClient,
    interruption,
    read_short,
    shown,
)
from mlxr.actors.registry.sources.transfer.limits import MIB
from mlxr.actors.registry.sources.transfer.remote_file import Body, Changed
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries
from mlxr.runtime.errors import PullError

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,19})")
_HEAD = 512
"""Bytes that are read to learn of a file."""
_SKIPPED = 64 * MIB
"""What is read over at most of a server that always begins at the first byte, to look into a file."""


class HttpFile:
    """Implements ``RemoteFile``.

    client: whose connections are used.
    url: of the file, at the host that ``access`` is for.
    """

    def __init__(
        self,
        client: HttpClient,
        url: str,
        name: str,
        size: int,
        identity: str,
        digest: str = "",
        access: Access = ANYBODY,
    ) -> None:
        self.name = name
        self.size = size
        self.identity = identity
        self.digest = digest
        self.url = url
        self._client = client
        self._access = access
        self._found_at = url
        self._etags: dict[str, str] = {}

    @classmethod
    async def ask(cls, client: HttpClient, url: str, name: str, access: Access = ANYBODY) -> tuple[HttpFile, bytes]:
        """Learn size and identity of what is at ``url``; with it some of its first bytes. Raises ``PullError`` where
        the server does not say them, and ``ModelNotFound``."""
        retries = Retries(client.limits, url, client.limits.first_attempts)
        while True:
            try:
                return await cls._ask(client, url, name, access)
            except Interrupted as failure:
                await retries.again(failure)

    @classmethod
    async def _ask(cls, client: HttpClient, url: str, name: str, access: Access) -> tuple[HttpFile, bytes]:
        async with client.get(url, {"Range": f"bytes=0-{_HEAD - 1}"}, access) as response:
            size = _total(response)
            if size is None:
                raise PullError(
                    f"{response.url.host} does not say how long {name} is; fetch it with a browser or curl, then pull "
                    "its path"
                )
            begin = b""
            if size:
                begin = await read_short(response, _HEAD - 1, client.limits)
            etag = response.headers.get("ETag", "") or response.headers.get("Last-Modified", "")
            file = cls(client, url, name, size, f"{size} {etag or url}", access=access)
            file._note_etag(response)
            return file, begin

    async def read(self, start: int, count: int) -> bytes:
        end = min(start + count, self.size)
        found = bytearray()
        retries = Retries(self._client.limits, self.name)
        while (at := start + len(found)) < end:
            try:
                async with self.stream(at, end) as body:
                    if body.whole and at > _SKIPPED:
                        raise PullError(f"{self.name} can't be looked into: its server gives whole files only")
                    skipped = 0 if body.whole else at
                    async for piece in body.pieces:
                        fresh = piece[max(at - skipped, 0) :]
                        skipped += len(piece)
                        found += fresh
                        retries.progressed(len(fresh))
                        if start + len(found) >= end:
                            break
            except Interrupted as failure:
                await retries.again(failure)
        return bytes(found[: end - start])

    @asynccontextmanager
    async def stream(self, start: int, end: int) -> AsyncIterator[Body]:
        try:
            async with self._get(start, end) as response:
                whole = self._check(response, start)
                async with aclosing(self._pieces(response, self.size if whole else end - start)) as pieces:
                    yield Body(whole, pieces)
        except Denied as error:
            if self._found_at == self.url:
                raise
            # Where a redirect leads is good for a while only.
            self._found_at = self.url
            raise Interrupted(str(error), 0.0) from error

    @asynccontextmanager
    async def _get(self, start: int, end: int) -> AsyncIterator[aiohttp.ClientResponse]:
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        access = self._access if self._found_at == self.url else ANYBODY
        async with self._client.get(self._found_at, wanted, access) as response:
            self._found_at = str(response.url)
            yield response

    async def _pieces(self, response: aiohttp.ClientResponse, most: int) -> AsyncGenerator[bytes]:
        """The body; what a server sends beyond what was asked for is an error of its."""
        came = 0
        try:
            async for piece in response.content.iter_any():
                came += len(piece)
                if came > most:
                    raise PullError(f"{response.url.host} sends more of {self.name} than it has said that there is")
                yield piece
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise interruption(response.url.host or "the server", error, self._client.limits) from error
        if came < most:
            raise Interrupted(f"{response.url.host} sent {came} bytes of {self.name}, not {most}")

    def _check(self, response: aiohttp.ClientResponse, start: int) -> bool:
        """Whether the answer is the whole file and not what was asked for; raises ``PullError`` where it is of another
        file than the one that size and identity are known of."""
        total = _total(response)
        if total is not None and total != self.size:
            raise self._changed(f"it has {total} bytes now, after {self.size}")
        if response.status == 416:
            raise self._changed("it is shorter")
        self._note_etag(response)
        if response.status != 206:
            return True
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != start:
            raise PullError(f"{response.url.host} answers with other bytes of {self.name} than it was asked for")
        return False

    def _note_etag(self, response: aiohttp.ClientResponse) -> None:
        """Whoever serves a file may have an etag of its own for it, but not two."""
        place = f"{response.url.host}{response.url.raw_path}"
        etag = response.headers.get("ETag", "")
        if etag and self._etags.setdefault(place, etag) != etag:
            raise self._changed("its etag is another one")

    def _changed(self, how: str) -> PullError:
        return Changed(f"{shown(self.url)} changed while it was fetched ({how}); pull again")


def _total(response: aiohttp.ClientResponse) -> int | None:
    """Bytes of the whole file, as far as an answer says."""
    said = response.headers.get("Content-Range", "")
    if response.status == 206:
        match = _CONTENT_RANGE.fullmatch(said)
        return int(match[3]) if match and match[3] != "*" else None
    if response.status == 416:
        match = _UNSATISFIED.fullmatch(said)
        return int(match[1]) if match else None
    return response.content_length

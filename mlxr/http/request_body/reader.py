"""Request bodies from the bytes that came to structs."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from mlxr.api.errors import invalid
from mlxr.http.errors import HttpError, Problem
from mlxr.http.fields import Fields
from mlxr.http.request_body.chunked_json import CHUNK, decode_chunked
from mlxr.http.request_body.content_encoding import encoding_of, unpacked
from mlxr.http.request_body.decode import decode
from mlxr.http.request_body.json_scan import count_values
from mlxr.http.request_body.workers import LARGE, BodyWorkers
from mlxr.http.settings import ServerSettings

SHRUNK = 32
"""How much smaller compression makes a body, where its size is not known yet."""


class ReadBody(NamedTuple):
    """A body, the places in it of what its type does not know, and its size in bytes when unpacked."""

    body: Any
    unknown: list[str]
    size: int


def body_reader(
    type: type[Fields], workers: BodyWorkers, settings: ServerSettings
) -> Callable[[list[bytes], str, str | None], Awaitable[ReadBody]]:
    """Returns a function from a body's parts, their Content-Encoding and the client to the body as ``type``; it raises
    ``RequestError`` for what is none, and ``HttpError`` 413 for more than there may be. A byte order mark before it,
    as Windows' tools write it, is left out (RFC 8259, 8.1)."""

    def read(parts: list[bytes], encoding: str) -> ReadBody:
        if encoding:
            parts = unpacked(parts, encoding, settings.max_body_bytes)
        raw = b"".join(parts).removeprefix(codecs.BOM_UTF8)
        if not raw:
            raise invalid("the request body is empty; it is to be JSON")
        if len(raw) <= LARGE:
            return ReadBody(*decode(raw, type), len(raw))
        _check_values(raw, settings.max_body_values)
        return ReadBody(*decode_chunked(raw, type), len(raw))

    async def read_by_worker(parts: list[bytes], header: str, client: str | None) -> ReadBody:
        encoding = encoding_of(header)
        size = sum(map(len, parts)) * (SHRUNK if encoding else 1)
        return await workers.run(size, client, read, parts, encoding)

    return read_by_worker


def _check_values(raw: bytes, most: int) -> None:
    """Refuses many tiny values, which take a hundred times as much memory as they have bytes."""
    if len(raw) > 2 * most and count_values(raw, CHUNK) > most:
        message = f"the request body has over {most} values (server.max_body_values)"
        raise HttpError(Problem(413, message, "request_too_large"))

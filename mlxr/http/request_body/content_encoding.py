"""Request bodies that come compressed (``Content-Encoding``), unpacked to no more than a body may have."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from mlxr.api.errors import invalid
from mlxr.http.errors import HttpError, Problem

ENCODINGS = ("gzip", "deflate", "br", "zstd")
PIECE = 256 << 10
"""Bytes unpacked in one go."""

MOST_WINDOW_LOG = 23
"""A zstd decoder keeps as much as the frame asks for; 8 MiB are what RFC 8878 wants supported."""


def encoding_of(header: str) -> str:
    """Returns the encoding that a Content-Encoding header names, "" for none; raises ``HttpError`` 415 for others."""
    names = [name for name in (part.strip().lower() for part in header.split(",")) if name not in ("", "identity")]
    if not names:
        return ""
    name = names[0].removeprefix("x-")
    if len(names) > 1 or name not in ENCODINGS:
        raise unsupported(header, f"send the body as it is, or in one of {', '.join(ENCODINGS)}")
    return name


def unsupported(header: str, way_out: str) -> HttpError:
    return HttpError(
        Problem(415, f"Content-Encoding {header[:60]!r} is not taken here: {way_out}", "unsupported_encoding")
    )


def unpacked(parts: Iterable[bytes], encoding: str, limit: int) -> list[bytes]:
    """Returns the body that ``parts`` hold in ``encoding``. Raises ``HttpError`` 413 as soon as there are more than
    ``limit`` bytes, and ``RequestError`` for what is not in that encoding."""
    made: list[bytes] = []
    size = 0
    decoder = _decoder(encoding)
    try:
        for part in parts:
            for piece in decoder.feed(part):
                made.append(piece)
                size += len(piece)
                if size > limit:
                    message = f"the request body is over {limit} bytes when unpacked (server.max_body_bytes)"
                    raise HttpError(Problem(413, message, "request_too_large"))
        complete = decoder.complete
    except HttpError:
        raise
    except Exception as error:
        # Each library has an exception of its own for malformed input.
        raise invalid(f"the request body can't be read: it is not in {encoding}, its Content-Encoding") from error
    if not complete:
        raise invalid(f"the request body can't be read: it ends too early for {encoding}")
    return made


class _Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` adds, in pieces of at most ``PIECE`` bytes or a little more."""
        ...

    @property
    def complete(self) -> bool: ...


class _Zlib:
    """gzip, which may have several members (RFC 1952, 2.2), and deflate, which some send without zlib's frame."""

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding == "gzip"
        self._inner: Any = None
        self.complete = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inner is None:
                framed = data[0] & 0x0F == 8
                self._inner = zlib.decompressobj(31 if self._gzip else 15 if framed else -15)
                self.complete = False
            yield self._inner.decompress(data, PIECE)
            data = self._inner.unconsumed_tail
            while not data and not self._inner.eof:
                more = self._inner.decompress(b"", PIECE)
                if not more:
                    break
                yield more
            if self._inner.eof:
                data = self._inner.unused_data
                self._inner, self.complete = None, True
                if data and not self._gzip:
                    raise ValueError("something follows the end")


class _Brotli:
    def __init__(self) -> None:
        self._inner = import_module("brotli").Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._inner.process(data, output_buffer_limit=PIECE)
        # What is left to come out shows only in asking for it.
        while more := self._inner.process(b"", output_buffer_limit=PIECE):
            yield more

    @property
    def complete(self) -> bool:
        return bool(self._inner.is_finished())


class _Zstd:
    """One frame or several (RFC 8878, 3.1)."""

    def __init__(self) -> None:
        # The standard library has it from 3.14 on.
        zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: MOST_WINDOW_LOG}
        self._new: Callable[[], Any] = partial(zstd.ZstdDecompressor, options=options)
        self._inner = self._new()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inner.eof:
                self._inner = self._new()
            self._begun = True
            yield self._inner.decompress(data, PIECE)
            while not self._inner.needs_input and not self._inner.eof:
                yield self._inner.decompress(b"", PIECE)
            data = self._inner.unused_data if self._inner.eof else b""

    @property
    def complete(self) -> bool:
        return self._begun and self._inner.eof


def _decoder(encoding: str) -> _Decoder:
    if encoding == "br":
        return _Brotli()
    return _Zstd() if encoding == "zstd" else _Zlib(encoding)

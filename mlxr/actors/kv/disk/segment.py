"""A segment: one file with some pages of one cache group, written once and never changed.

Little-endian. A head of 48 bytes: magic, format, number of pages, cache group, 4 bytes of zeros, bytes a page, and what
the contents depend on beside tokens. A digest of head and table. A table with an entry of 64 bytes a page: its address,
the address of the block before and how many tokens lie behind that (0 for a whole block), 12 bytes of zeros, and a
checksum of its content. Then the contents, from a multiple of 4,096 bytes on, one behind another; the file ends at such
a multiple too. Checksums and the digest are XXH3 of 128 bits.

A file that ends early, was changed or is another's raises ``BadSegmentError``; so whoever reads one gets what was
written, or nothing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from mlxr.runtime.messages.kv import StoredPage

MAGIC = b"MLXRKV\r\n"
FORMAT = 1
ALIGNMENT = 4096
DIGEST_BYTES = 16
MOST_PAGES = 1 << 16

_HEAD = struct.Struct("<8sIII4xQ16s")
_ENTRY = struct.Struct("<16s16sI12x16s")


class BadSegmentError(ValueError):
    """The file is no segment, of another format or damaged; the message says which."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a file's head and table say.

    contents: a digest of what pages depend on beside tokens.
    group: the place of the cache group.
    page_bytes: of each page's content.
    pages: in the order of their contents.
    checksums: of their contents.
    """

    contents: bytes
    group: int
    page_bytes: int
    pages: tuple[StoredPage, ...]
    checksums: tuple[bytes, ...]

    def offset(self, page: int) -> int:
        """Returns where the content of a page begins in the file."""
        return _aligned(_table_end(len(self.pages))) + page * self.page_bytes


def segment_bytes(pages: int, page_bytes: int) -> int:
    """Returns the size of a file with so many pages."""
    return _aligned(_aligned(_table_end(pages)) + pages * page_bytes)


def checksum(content: Any) -> bytes:
    return xxhash.xxh3_128_digest(content)


def write_segment(
    file: int, contents: bytes, group: int, pages: Sequence[StoredPage], content: NDArray[np.uint8]
) -> list[bytes]:
    """Writes a segment to an open file; returns the checksums of its pages. ``content``: uint8 ``[pages, bytes]``.
    Raises ``OSError``."""
    page_bytes = content.shape[1]
    head = _HEAD.pack(MAGIC, FORMAT, len(pages), group, page_bytes, contents)
    checksums = [checksum(part) for part in content]
    table = b"".join(
        _ENTRY.pack(page.address, page.parent, page.tail, sum) for page, sum in zip(pages, checksums, strict=True)
    )
    front = head + checksum(head + table) + table
    _write_all(file, memoryview(front.ljust(_aligned(len(front)), b"\0")), 0)
    _write_all(file, content.data.cast("B"), _aligned(len(front)))
    os.ftruncate(file, segment_bytes(len(pages), page_bytes))
    return checksums


def read_segment(file: int) -> Segment:
    """Reads head and table of an open file. Raises ``BadSegmentError`` and ``OSError``."""
    front = os.pread(file, ALIGNMENT, 0)
    if len(front) < _HEAD.size + DIGEST_BYTES:
        raise BadSegmentError("ends within its head")
    magic, version, count, group, page_bytes, contents = _HEAD.unpack_from(front)
    if magic != MAGIC:
        raise BadSegmentError("is no file with pages")
    if version != FORMAT:
        raise BadSegmentError(f"has the format {version}, not {FORMAT}")
    if not 0 < count <= MOST_PAGES:
        raise BadSegmentError("has a damaged head")
    if len(front) < _table_end(count):
        front += os.pread(file, _table_end(count) - len(front), len(front))
    head, table = front[: _HEAD.size], front[_HEAD.size + DIGEST_BYTES : _table_end(count)]
    if checksum(head + table) != front[_HEAD.size : _HEAD.size + DIGEST_BYTES] or len(front) < _table_end(count):
        raise BadSegmentError("has a damaged head")
    if os.fstat(file).st_size != segment_bytes(count, page_bytes):
        raise BadSegmentError("does not have its size")
    entries = list(_ENTRY.iter_unpack(table))
    pages = tuple(StoredPage(address, parent if tail else b"", tail) for address, parent, tail, _ in entries)
    return Segment(contents, group, page_bytes, pages, tuple(entry[3] for entry in entries))


def read_content(file: int, segment: Segment, first: int, content: NDArray[np.uint8]) -> list[bool]:
    """Reads pages from ``first`` on into ``content``, uint8 ``[pages, bytes]``; tells which are as they were written.
    Raises ``OSError``."""
    view, done = content.data.cast("B"), 0
    os.lseek(file, segment.offset(first), os.SEEK_SET)
    while done < len(view):
        got = os.readv(file, [view[done:]])
        if not got:
            break
        done += got
    whole = done // segment.page_bytes
    return [index < whole and checksum(part) == segment.checksums[first + index] for index, part in enumerate(content)]


def _write_all(file: int, data: memoryview, at: int) -> None:
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written


def _table_end(pages: int) -> int:
    return _HEAD.size + DIGEST_BYTES + pages * _ENTRY.size


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT

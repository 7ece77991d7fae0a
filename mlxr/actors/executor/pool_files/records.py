"""What the pages of a pool's file held when they were last recorded.

Little-endian, 64 bytes a page: its address, the address of the block before, how many tokens lie behind that (as in
``StoredPage``), its turn among all records, a checksum of its content (XXH3 of 128 bits), and one of this record, the
group and the page (64 bits). Zeros for a page that was never recorded.

A page may have changed since, and a process may end within a record: a page holds what its record says where both
checksums are right, and only there.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from mlxr.runtime.messages.kv import StoredPage

_ENTRY = struct.Struct("<16s16sII16s")
_CHECK = struct.Struct("<Q")
_PLACE = struct.Struct("<QQ")
ENTRY_BYTES = _ENTRY.size + _CHECK.size
_NOTHING = bytes(ENTRY_BYTES)

READ_AT_ONCE = 1 << 14
"""Records."""


@dataclass(frozen=True, slots=True)
class Record:
    """``turn``: the higher, the later it was made. ``checksum``: of the page's content."""

    group: int
    page: int
    stored: StoredPage
    checksum: bytes
    turn: int = 0


class PageRecords:
    """Owns the records of an open file, from ``offset`` on, for ``counts`` pages of each group. Methods may be called
    from any thread."""

    def __init__(self, file: int, offset: int, counts: Sequence[int]) -> None:
        self._file = file
        self._counts = list(counts)
        starts = itertools.accumulate(counts, initial=0)
        self._starts = [offset + start * ENTRY_BYTES for start in starts]
        self._turns = itertools.count(1)

    def note(self, record: Record) -> None:
        """Raises ``OSError``."""
        stored = record.stored
        entry = _ENTRY.pack(stored.address, stored.parent, stored.tail, next(self._turns) % (1 << 32), record.checksum)
        os.pwrite(self._file, entry + _check(entry, record.group, record.page), self._place(record.group, record.page))

    def all(self) -> list[Record]:
        """Returns those that were made as a whole, the latest last; later ones get later turns than these. Raises
        ``OSError``."""
        found = [record for group in range(len(self._counts)) for record in self._of(group)]
        found.sort(key=lambda record: record.turn)
        self._turns = itertools.count(found[-1].turn + 1 if found else 1)
        return found

    def _of(self, group: int) -> list[Record]:
        found: list[Record] = []
        for first in range(0, self._counts[group], READ_AT_ONCE):
            count = min(READ_AT_ONCE, self._counts[group] - first)
            part = os.pread(self._file, count * ENTRY_BYTES, self._place(group, first))
            for number in range(len(part) // ENTRY_BYTES):
                line = part[number * ENTRY_BYTES : (number + 1) * ENTRY_BYTES]
                if line != _NOTHING and (record := _record(line, group, first + number)) is not None:
                    found.append(record)
        return found

    def _place(self, group: int, page: int) -> int:
        return self._starts[group] + page * ENTRY_BYTES


def _record(line: bytes, group: int, page: int) -> Record | None:
    entry = line[: _ENTRY.size]
    if line[_ENTRY.size :] != _check(entry, group, page):
        return None
    address, parent, tail, turn, checksum = _ENTRY.unpack(entry)
    return Record(group, page, StoredPage(address, parent if tail else b"", tail), checksum, turn)


def _check(entry: bytes, group: int, page: int) -> bytes:
    return _CHECK.pack(xxhash.xxh3_64_intdigest(entry + _PLACE.pack(group, page)))


def checksum_of(parts: Sequence[Any], page: int) -> bytes:
    """Returns the checksum of a page's content. ``parts``: as ``FilePools.parts`` returns them."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part[page])
    return digest.digest()

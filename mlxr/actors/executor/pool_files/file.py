"""A pool's file in memory (tmpfs), of one engine on one store.

    FOLDER/mlxr-STORE-CONTENTS.pool

``STORE`` is a digest of where the store's pages lie, ``CONTENTS`` one of what pages depend on beside tokens. A head of
4,096 bytes: magic, format, ``CONTENTS``, how many pages each cache group has, a digest of these. Then a record for each
page (``PageRecords``), then the pages, from a multiple of 2 MB on.

Who has the file open holds its lock, which ends with the process, however that ends. So a file that nobody locks is of
a process that was killed: the next executor of the same engine takes it over, and whoever looks may delete it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import xxhash

from mlxr.actors.executor.pool_files.records import ENTRY_BYTES, PageRecords

FOLDER = Path("/dev/shm")
"""A file system in memory that each Linux has; no other system's files outlive a process there."""

NAME = re.compile(r"mlxr-([0-9a-f]{16})-[0-9a-f]{32}\.pool")
MAGIC = b"MLXRPOOL"
FORMAT = 1
HEAD_BYTES = 4096
ALIGNMENT = 2 << 20
MOST_GROUPS = 64

LOOKS, LOOK_SECONDS = 10, 0.002
"""How often, and how far apart, it is tried to lock a file: whoever looks at it holds its lock for a moment."""

_HEAD = struct.Struct("<8sII16s")
_DIGEST_BYTES = 16


class NoPoolFileError(OSError):
    """Another process has the file, or there is no room for it."""


class BeingUsedError(NoPoolFileError):
    """Another process has the file, perhaps only to look at it."""


class PoolFile:
    """An open file, locked. ``close`` or ``delete`` ends it; the process's end does as well, and leaves the file.

    Attributes:
        counts: pages of each cache group, as the file has them; empty where it is a new one.
        records: of its pages. There are none before ``lay_out``.
    """

    def __init__(self, path: Path, contents: bytes) -> None:
        """Opens the file, or makes one. Raises ``OSError``, ``NoPoolFileError`` where another process has it."""
        self.path = path
        self._contents = contents
        self.descriptor = _opened_soon(path)
        self.counts: tuple[int, ...] = _read_head(self.descriptor, contents)
        self.records: PageRecords
        self.offset = 0
        self._size = 0

    def lay_out(self, counts: Sequence[int], nbytes: int) -> None:
        """Makes the file one of a pool with so many pages of each group, which take ``nbytes``; what it held stays
        where those are its ``counts``. Raises ``OSError``, ``NoPoolFileError`` where the file system has no room."""
        self.records = PageRecords(self.descriptor, HEAD_BYTES, counts)
        self.offset = -(-(HEAD_BYTES + sum(counts) * ENTRY_BYTES) // ALIGNMENT) * ALIGNMENT
        self._size = self.offset + nbytes
        status = os.fstat(self.descriptor)
        same = tuple(counts) == self.counts and status.st_size == self._size
        room = os.fstatvfs(self.descriptor)
        left = room.f_bavail * room.f_frsize + status.st_blocks * 512 - _promised(self.path)
        if self._size > left:
            raise NoPoolFileError(f"{self.path.parent} has no room for a pool of {nbytes:,} bytes")
        if not same:
            os.ftruncate(self.descriptor, 0)
            os.ftruncate(self.descriptor, self._size)
            os.pwrite(self.descriptor, _head(self._contents, counts), 0)
            self.counts = tuple(counts)

    def renew(self) -> None:
        """Begins another file in the place of this one, with as many pages, of which none holds anything. Who maps the
        old one has its memory until then. Raises ``OSError``."""
        self._unlink()
        file, counts, nbytes = _opened_soon(self.path), self.counts, self._size - self.offset
        self._replace(file)
        self.counts = ()
        self.lay_out(counts, nbytes)

    def abandon(self) -> None:
        """Nobody is to find the file any more, and what is recorded from now on is nowhere; its memory goes with
        whoever maps it."""
        self._unlink()
        self._replace(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))

    def delete(self) -> None:
        """Nobody is to find the file any more; its memory goes with whoever maps it."""
        self._unlink()
        self.close()

    def close(self) -> None:
        """Leaves the file to the next. What maps it keeps its lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _unlink(self) -> None:
        """Not what has come into its place."""
        with suppress(OSError):
            if os.path.samestat(os.stat(self.path, follow_symlinks=False), os.fstat(self.descriptor)):
                os.unlink(self.path)

    def _replace(self, file: int) -> None:
        """The number stays: a thread may be about to make a record."""
        os.dup2(file, self.descriptor, inheritable=False)
        os.close(file)


def pool_path(store: Path, contents: bytes, folder: Path | None = None) -> Path:
    """Returns where the pool lies of an engine on a store. ``folder``: None for ``FOLDER``."""
    return (folder or FOLDER) / f"mlxr-{store_digest(store)}-{contents.hex()}.pool"


def store_digest(store: Path) -> str:
    return hashlib.blake2b(os.fsencode(store.absolute()), digest_size=8).hexdigest()


def _promised(path: Path) -> int:
    """Returns the bytes that the pools beside ``path`` have been promised, and have not taken yet."""
    promised = 0
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if NAME.fullmatch(entry.name) and entry.name != path.name:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    promised += max(0, status.st_size - status.st_blocks * 512)
    return promised


def _opened_soon(path: Path) -> int:
    """As ``opened``, for who is to have it."""
    for _ in range(LOOKS):
        with suppress(BeingUsedError):
            return opened(path)
        time.sleep(LOOK_SECONDS)
    return opened(path)


def opened(path: Path, *, make: bool = True) -> int:
    """Opens and locks a pool's file. Raises ``OSError``, ``NoPoolFileError`` where it is another's."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if make else 0)
    while True:
        file = os.open(path, flags, 0o600)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise NoPoolFileError(f"{path} is not this user's")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BeingUsedError(f"another process has {path}") from None
            if os.fstat(file).st_nlink:
                os.fchmod(file, 0o600)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # Deleted between opening and locking.


def _head(contents: bytes, counts: Sequence[int]) -> bytes:
    front = _HEAD.pack(MAGIC, FORMAT, len(counts), contents) + struct.pack(f"<{len(counts)}Q", *counts)
    return front + xxhash.xxh3_128_digest(front)


def _read_head(file: int, contents: bytes) -> tuple[int, ...]:
    """Returns pages of each group; nothing where the file is new, damaged or another's."""
    front = os.pread(file, HEAD_BYTES, 0)
    if len(front) < HEAD_BYTES:
        return ()
    magic, version, groups, found = _HEAD.unpack_from(front)
    if (magic, version, found) != (MAGIC, FORMAT, contents) or not 0 < groups <= MOST_GROUPS:
        return ()
    counts = struct.unpack_from(f"<{groups}Q", front, _HEAD.size)
    return counts if front.startswith(_head(contents, counts)) else ()

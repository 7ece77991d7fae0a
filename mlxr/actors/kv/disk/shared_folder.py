"""What all engines and servers that share a folder of segments see of it: its files, its lock, how much there is."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX, UNFINISHED = ".pages", ".new"
CONTENTS = re.compile("[0-9a-f]{32}")
"""Names of folders with segments."""

LOCK_SECONDS = 2.0

_USAGE = struct.Struct("<8sQQ")
_USAGE_MAGIC = b"MLXRUSE1"


class NoRoomError(OSError):
    """The quota can't hold the file, or nobody gives the lock up."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``used``: its time of change, in nanoseconds."""

    path: Path
    bytes: int
    used: int


@dataclass(slots=True)
class Usage:
    """What there is, at least as much as there really is."""

    bytes: int
    files: int


@contextmanager
def locked(root: Path) -> Iterator[int]:
    """Holds the lock of all who share the folder; yields its file. Raises ``NoRoomError`` where nobody gives it up."""
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not try_lock(lock):
            if time.monotonic() > deadline:
                raise NoRoomError("another server holds the lock of the folder")
            time.sleep(0.002)
        yield lock
    finally:
        os.close(lock)


def read_usage(lock: int) -> Usage | None:
    """Returns what the last who held the lock has noted; None where nobody has."""
    noted = os.pread(lock, _USAGE.size, 0)
    if len(noted) < _USAGE.size:
        return None
    magic, used, files = _USAGE.unpack(noted)
    return Usage(used, files) if magic == _USAGE_MAGIC else None


def write_usage(lock: int, usage: Usage) -> None:
    os.pwrite(lock, _USAGE.pack(_USAGE_MAGIC, usage.bytes, usage.files), 0)


def all_files(root: Path) -> list[StoredFile]:
    """Returns the segments of all engines in a folder, unfinished ones too. Raises ``OSError``."""
    files: list[StoredFile] = []
    for folder in folders_in(root):
        with suppress(PermissionError):
            files += files_in(folder)
    return files


def folders_in(root: Path) -> list[Path]:
    """Returns the folders with segments, one for each ``CONTENTS``. Raises ``OSError``."""
    with os.scandir(root) as entries:
        own = [entry for entry in entries if CONTENTS.fullmatch(entry.name)]
        return [Path(entry.path) for entry in own if entry.is_dir(follow_symlinks=False)]


def files_in(folder: Path) -> Iterator[StoredFile]:
    """Yields the segments of one such folder, unfinished ones too; none where it is gone. Raises ``OSError``."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith((SUFFIX, UNFINISHED)):
                continue
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield StoredFile(Path(entry.path), status.st_size, status.st_mtime_ns)


def try_lock(file: int) -> bool:
    """Locks an open file, unless somebody else has; tells whether that worked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_abandoned(path: Path) -> bool:
    """Whether nobody writes to an unfinished file any more: its writer was killed."""
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return try_lock(file)
        finally:
            os.close(file)
    return False

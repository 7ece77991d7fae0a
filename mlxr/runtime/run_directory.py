"""Run directories: one per running server, holding its sockets, locked for as long as it lives."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from mlxr.runtime.errors import StartError

LOCK = "lock"
_ATTEMPTS = 5
TELEMETRY = "telemetry"
"""The file that says where a server publishes what happens."""

ADDRESSES = "addresses"
"""The file that says where a server listens, a URL a line."""

BACKGROUND = "background"
"""The file that marks a server which a command started for itself, and which ends when it is idle."""


def write_addresses(directory: Path, addresses: list[str]) -> None:
    """Notes where the server listens, at once: nobody reads half of it."""
    written = directory / f".{ADDRESSES}"
    written.write_text("\n".join(addresses))
    written.replace(directory / ADDRESSES)


def read_addresses(directory: Path) -> list[str]:
    """Returns where the server of that run directory listens; nothing before it does."""
    try:
        return (directory / ADDRESSES).read_text().splitlines()
    except OSError:
        return []


def make_private(path: Path) -> None:
    """Makes a directory that nobody but this user can put anything into, or see to it that ``path`` is one.

    Who owns the directory of a bus's sockets can take any actor's place. Raises ``StartError`` for what another user
    made there, or could replace, and ``OSError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    above = path.parent.stat()
    if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        raise StartError(
            f"can't use {path} for sockets: others could replace it, as {path.parent} is open to all; set MLXR_HOME to "
            "a short path of your own"
        )
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    # By its descriptor, so that what is checked is what is changed; a link in its place is not followed.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise StartError(
                f"can't use {path} for sockets: it belongs to another user (uid {status.st_uid}); set MLXR_HOME to a "
                "short path of your own, or remove it"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


class RunDirectory:
    """Makes ``parent/PID`` and removes it on leaving, with ``parent`` if that is empty then; removes what servers that
    were killed have left there."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.path = parent / str(os.getpid())
        self._lock = -1

    def __enter__(self) -> RunDirectory:
        try:
            self._make()
            self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartError(f"can't use {self._parent} for sockets: {error.strerror}; set MLXR_HOME") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _make(self) -> None:
        for _ in range(_ATTEMPTS):
            make_private(self._parent)
            # The last server that ends removes the parent, perhaps just now.
            with suppress(FileNotFoundError):
                sweep(self._parent)
                self.path.mkdir(mode=0o700)
                return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def remove(self) -> None:
        remove(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def remove(path: Path) -> None:
    """Removes a run directory, and its parent if that was the last one."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.parent.rmdir()


def live(parent: Path) -> list[Path]:
    """Runs directories of servers that are running, the latest first."""
    if not _ours(parent):
        return []
    found = [path for path in parent.iterdir() if path.is_dir() and not _abandoned(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def sweep(parent: Path) -> None:
    """Removes the directories of servers that are gone."""
    for path in parent.iterdir():
        if path.is_dir() and _abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def _ours(directory: Path) -> bool:
    """Tells whether what lies there can be believed: it is this user's, and no link."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _abandoned(path: Path) -> bool:
    """Tells whether nobody holds the lock: the kernel drops it with its process, however that ends."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return not _just_made(path)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _just_made(path: Path) -> bool:
    """Tells whether the process the directory is named after is there to take its lock in a moment."""
    try:
        os.kill(int(path.name), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True

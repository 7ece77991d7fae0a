"""The file of a profile. It holds secrets, so that nobody else may read it, and is replaced as a whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.profile import Profile
from mlxr.runtime.whole_files import write_whole

VERSION = 1


class ProfileStore:
    """Owns ``path``. Several servers of a home may change it: each change reads it anew, under a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Profile:
        """Returns what is kept; raises ``RequestError`` for a file that can't be read, which stays as it is."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Profile()
        except OSError as error:
            raise _trouble(f"can't read {self._path.name} in the server's home: {error.strerror}") from error
        try:
            version = msgspec.json.decode(data, type=_Version).version
            if version > VERSION:
                raise _trouble(f"{self._path.name} in the server's home is of a later mlxr ({version}); use that")
            return msgspec.json.decode(data, type=Profile)
        except msgspec.DecodeError as error:
            advice = "mend it, or move it away to begin anew"
            raise _trouble(f"{self._path.name} in the server's home is damaged ({error}); {advice}") from error

    def change(self, make: Callable[[Profile], Profile]) -> Profile:
        """Returns the profile as ``make`` changes it, once it is on the disk; raises ``RequestError`` where it is not,
        and then what was before still is."""
        try:
            with self._locked():
                fresh = make(self.read())
                write_whole(self._path, msgspec.json.format(msgspec.json.encode(fresh), indent=2).decode(), 0o600)
                return fresh
        except OSError as error:
            raise _trouble(f"can't write {self._path.name} in the server's home: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class _Version(msgspec.Struct):
    version: int = VERSION


def _trouble(message: str) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.INTERNAL, message))

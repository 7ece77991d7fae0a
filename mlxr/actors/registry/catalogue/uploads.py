"""Files that clients upload by digest, for ``create`` to use.

The registry alone writes and verifies them. A transport hands on what comes, by ``Uploads``, which works on the
registry's files from whichever process clients are let in by.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

from anyio import to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.runtime.errors import PullError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.paths import Home

_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")


class Uploads:
    """Implements ``mlxr.api.gateway.Blobs``, off the loop."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def has(self, digest: str) -> bool:
        try:
            return await to_thread.run_sync(has_blob, self._home, digest)
        except ValueError as error:
            raise _refused(error) from error

    async def save(self, digest: str, length: int | None, pieces: AsyncIterator[bytes]) -> None:
        try:
            with await to_thread.run_sync(BlobWriter, self._home, digest, length) as blob:
                async for piece in pieces:
                    await to_thread.run_sync(blob.write, piece)
                await to_thread.run_sync(blob.commit)
        except (ValueError, files.DigestMismatch) as error:
            raise _refused(error) from error
        except files.OutOfSpace as error:
            raise RequestError(ErrorInfo(ErrorCode.STORAGE_FULL, str(error))) from error
        except PullError as error:
            raise RequestError(ErrorInfo(ErrorCode.MODEL_FAILED, str(error))) from error


def _refused(error: Exception) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.INVALID, str(error), "digest"))


def parse_digest(text: str) -> str:
    """Returns the hexadecimal part of ``sha256:HEX``; raises ``ValueError``."""
    match = _DIGEST.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no digest; it must be sha256: and 64 hexadecimal digits")
    return match[1].lower()


def has_blob(home: Home, digest: str) -> bool:
    """Whether the file ``sha256:HEX`` is here; raises ``ValueError`` for another kind of digest."""
    return files.find(home, parse_digest(digest)) is not None


class BlobWriter:
    """Takes one upload: ``with BlobWriter(home, "sha256:...", length) as blob: blob.write(...); blob.commit()``.

    Blocking; for a worker thread where pieces are large. What was not committed is removed. Raises ``ValueError``
    (bad digest) and ``OutOfSpace``; ``length``: bytes announced, None if unknown.
    """

    def __init__(self, home: Home, digest: str, length: int | None = None) -> None:
        self._digest = parse_digest(digest)
        self._home = home
        self._directory = files.partial(home)
        files.require_space(self._directory, length or 0)
        self._path: Path = self._directory / f"upload-{secrets.token_hex(8)}"
        self._hash = hashlib.sha256()

    def __enter__(self) -> BlobWriter:
        try:
            self._file = files.create(self._path)
        except OSError as error:
            raise PullError(f"can't write to {self._directory}: {error.strerror}; set MLXR_HOME") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        files.remove(self._path)

    def write(self, piece: bytes) -> None:
        with files.space_for(self._directory, len(piece)):
            self._file.write(piece)
        self._hash.update(piece)

    def commit(self) -> Path:
        """Checks what came and gives it its place; raises ``DigestMismatch``."""
        digest = self._hash.hexdigest()
        if digest != self._digest:
            raise files.DigestMismatch(f"the upload has SHA-256 {digest}, but was announced as {self._digest}")
        with files.space_for(self._directory, 0):
            self._file.flush()
            files.sync(self._path)
        known = files.find(self._home, digest)
        if known is not None:
            return known
        final = files.upload_path(self._home, digest)
        files.place(self._home, self._path, final)
        return final

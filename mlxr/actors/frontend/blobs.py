"""Uploads: implements ``mlxr.api.gateway.Blobs`` on the registry's file store, off the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from anyio import to_thread

from mlxr.actors.registry.catalogue.uploads import BlobWriter, DigestMismatch, has_blob
from mlxr.http.errors import HttpError
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.paths import Home


class FileBlobs:
    def __init__(self, home: Path) -> None:
        self._home = Home(home)

    async def has(self, digest: str) -> bool:
        try:
            return await to_thread.run_sync(has_blob, self._home, digest)
        except ValueError as error:
            raise _refused(error) from error

    async def save(self, digest: str, length: int, pieces: AsyncIterator[bytes]) -> None:
        try:
            with await to_thread.run_sync(BlobWriter, self._home, digest, length) as blob:
                async for piece in pieces:
                    await to_thread.run_sync(blob.write, piece)
                await to_thread.run_sync(blob.commit)
        except (ValueError, DigestMismatch) as error:
            raise _refused(error) from error
        except (RequestError, HttpError):
            raise
        except MlxrError as error:
            raise RequestError(ErrorInfo(ErrorCode.MODEL_FAILED, str(error))) from error


def _refused(error: Exception) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.INVALID, str(error), "digest"))

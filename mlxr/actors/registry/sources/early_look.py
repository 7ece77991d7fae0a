"""Looks into a large model before its gigabytes are fetched: what can't run here is refused by its headers alone."""

from __future__ import annotations

from pathlib import Path

import anyio

from mlxr.actors.registry.fit.skeleton import Skeleton
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.sources.transfer.remote_file import LocalFile, RemoteModel
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import PullError

LARGE = 256 << 20
MOST_FILES = 64
"""Bytes of a model that is worth the look, and files of one whose headers are not too many to ask for. The others are
looked into when they have come."""


async def refuse_unusable(remote: RemoteModel, spelled: str, reader: MetadataReader) -> None:
    """Raises ``UnsupportedModelError`` or ``PullError``, naming the source, for a large model that can't be used."""
    here = all(isinstance(file, LocalFile) for file in remote.files)
    if here or remote.size < LARGE or len(remote.files) > MOST_FILES:
        return
    async with anyio.TemporaryDirectory(prefix="mlxr-look-", ignore_cleanup_errors=True) as folder:
        skeleton = Skeleton(remote, Path(folder), reader)
        try:
            await skeleton.make()
            await reader.usable(skeleton.path)
        except UnsupportedModelError as error:
            why = error.within(skeleton.path)
            raise UnsupportedModelError(Path(spelled), f"{why}; no more than its header was fetched") from error
        except UnusableModelError as error:
            why = error.within(skeleton.path)
            raise PullError(f"{spelled} holds a model that can't be used: it {why}") from error

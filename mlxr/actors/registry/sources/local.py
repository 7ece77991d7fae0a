"""Models in files and folders of this machine: they are copied, so that what is catalogued does not change."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, gguf_files, members, stat_model
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.source import Fetched
from mlxr.actors.registry.sources.transfer.download import fetch_remote
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import LocalFile, RemoteModel
from mlxr.models import names
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.split import holds_gguf, model_name


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A GGUF file, one part of a model in several, or a model folder."""

    path: Path

    @classmethod
    def recognise(cls, name: str) -> LocalSource | None:
        path = names.local_file(name)
        return cls(path) if path else None

    @property
    def name(self) -> str:
        # ``.`` and ``..`` are folders that have names of their own.
        path = Path(os.path.abspath(self.path))
        return re.sub(r"[^A-Za-z0-9._-]+", "-", model_name(path)).strip("-.") or "model"

    @property
    def spelled(self) -> str:
        return str(self.path)

    @property
    def lasting(self) -> bool:
        return False

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[RemoteModel]:
        yield await to_thread.run_sync(self._listed)

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        assert remote is not None, "files of this machine can be looked into"
        await self._require_usable(reader)
        return await fetch_remote(remote, staging, report)

    def _listed(self) -> RemoteModel:
        """In a worker thread."""
        stat_model(self.path)
        try:
            if holds_gguf(self.path):
                listed = [LocalFile.of(path.name, path) for path in gguf_files(self.path)]
            else:
                # A link within the folder was looked at: not another one that has taken its place since.
                root = Path(os.path.realpath(self.path))
                listed = [_member(root, member.path) for member in members(root)]
        except (OSError, ValueError) as error:
            raise NoModelAtPath(self.path, str(error)) from None
        folder = len(listed) > 1 or not holds_gguf(self.path)
        return RemoteModel(tuple(listed), self.spelled, folder=folder, lasting=False)

    async def _require_usable(self, reader: MetadataReader) -> None:
        """Looks into the model before gigabytes of it are copied."""
        try:
            await reader.usable(self.path)
        except ModelFileError as error:
            if await to_thread.run_sync(self.path.is_dir):
                raise NoModelAtPath(self.path, error.within(self.path)) from None
            raise


def _member(root: Path, path: Path) -> LocalFile:
    real = Path(os.path.realpath(root / path))
    if not real.is_relative_to(root):
        raise ValueError(f"{names.quoted(str(path))} in it is a link that leads out of it")
    return LocalFile.of(path.as_posix(), real, links=False)

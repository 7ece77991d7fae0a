"""Models in files and folders of this machine: they are copied, so that what is catalogued does not change."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import from_thread, to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.local_files import ModelStat, NoModelAtPath, gguf_files, members, stat_model
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.source import Fetched
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import LocalFile, RemoteModel
from mlxr.models import names
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.split import holds_gguf, model_name
from mlxr.models.identity import stamp
from mlxr.runtime.errors import PullError


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
        return re.sub(r"[^A-Za-z0-9._-]+", "-", model_name(self.path)).strip("-.") or "model"

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
        stat = await to_thread.run_sync(stat_model, self.path)
        await self._require_usable(reader)
        return await to_thread.run_sync(self._copy, stat, staging)

    def _listed(self) -> RemoteModel:
        """In a worker thread."""
        stat_model(self.path)
        try:
            if holds_gguf(self.path):
                found = {path.name: path for path in gguf_files(self.path)}
            else:
                found = {member.path.as_posix(): self.path / member.path for member in members(self.path)}
            listed = [LocalFile(name, path, path.stat().st_size, stamp(path.stat())) for name, path in found.items()]
        except (OSError, ValueError) as error:
            raise NoModelAtPath(self.path, str(error)) from None
        return RemoteModel(tuple(listed), self.spelled, folder=self.path.is_dir() or len(listed) > 1, lasting=False)

    async def _require_usable(self, reader: MetadataReader) -> None:
        """Look into the model before gigabytes of it are copied."""
        try:
            await reader.usable(self.path)
        except ModelFileError as error:
            if await to_thread.run_sync(self.path.is_dir):
                raise NoModelAtPath(self.path, error.within(self.path)) from None
            raise

    def _copy(self, stat: ModelStat, staging: Path) -> Fetched:
        """In a worker thread."""
        try:
            with files.space_for(staging, stat.size):
                out, digest = files.copy_model(self.path, staging, from_thread.check_cancelled)
            if stat_model(self.path) != stat:
                raise PullError(f"{self.path} changed while it was copied; nothing was kept, pull again")
        except ValueError as error:
            raise NoModelAtPath(self.path, str(error)) from None
        return Fetched(out, digest, self.spelled)

"""A name that two places may know: the first that does has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.source import Fetched, Source
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound


@dataclass(slots=True)
class FallbackSource:
    """``first``, and ``second`` where ``first`` has no such model."""

    first: Source
    second: Source
    _found: Source | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        return (self._found or self.first).name

    @property
    def spelled(self) -> str:
        return self.first.spelled

    @property
    def lasting(self) -> bool:
        return False

    @asynccontextmanager
    async def remote(self, limits: TransferLimits) -> AsyncIterator[RemoteModel | None]:
        async with AsyncExitStack() as stack:
            self._found = self.first
            try:
                remote = await stack.enter_async_context(self.first.remote(limits))
            except ModelNotFound as missing:
                self._found = self.second
                remote = await self._second(stack, limits, missing)
            yield remote

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        return await (self._found or self.first).fetch(remote, staging, report, reader)

    async def _second(
        self, stack: AsyncExitStack, limits: TransferLimits, missing: ModelNotFound
    ) -> RemoteModel | None:
        try:
            remote = await stack.enter_async_context(self.second.remote(limits))
        except ModelNotFound as error:
            first, second = names.quoted(self.first.spelled), self.second.spelled
            raise ModelNotFound(f"there is neither {first} nor {second}: {missing}; {error}") from None
        return remote and replace(remote, name=remote.name or self.second.name)

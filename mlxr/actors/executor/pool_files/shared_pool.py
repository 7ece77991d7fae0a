"""A pool whose memory outlives the process: which file it has, what is recorded of its pages, and what was found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from mlxr.actors.executor.pool_files.file import PoolFile
from mlxr.actors.executor.pool_files.records import Record
from mlxr.actors.executor.pool_files.survivors import Survivors
from mlxr.metal.pool import FilePools, Pool, PoolSpec
from mlxr.runtime.messages.kv import PoolPagesFound

log = logging.getLogger("mlxr.executor")


class SharedPool:
    """Owns the file. ``spec``: of the pool that it holds."""

    def __init__(self, file: PoolFile, spec: PoolSpec, pools: FilePools) -> None:
        self.spec = spec
        self._file = file
        self._pools = pools
        self._survivors: Survivors | None = None
        self._made = False

    def make(self) -> Pool:
        """Makes the pool: the first time with whatever the file holds, then without. Raises ``OSError`` and
        ``MemoryError``."""
        if self._made:
            self._survivors = None
            self._file.renew()
        pool = self._pools.pool(self.spec, self._file.descriptor, self._file.offset)
        if not self._made:
            parts = [self._pools.parts(pool, group) for group in range(len(self.spec.groups))]
            self._survivors = Survivors(self._file.records, parts)
            self._survivors.start()
        self._made = True
        return pool

    def note(self, records: Sequence[Record]) -> None:
        """These pages hold that, or did a moment ago. On any thread."""
        with suppress(OSError):  # no memory left: the next executor computes them, or reads them
            for record in records:
                self._file.records.note(record)

    def survivors(self, epoch: int) -> list[PoolPagesFound]:
        """Returns which pages a killed process has left, once; waits until that is known."""
        survivors, self._survivors = self._survivors, None
        if survivors is None:
            return []
        found = survivors.take()
        groups = sorted({record.group for record in found})
        return [
            PoolPagesFound(
                epoch, group, [r.page for r in found if r.group == group], [r.stored for r in found if r.group == group]
            )
            for group in groups
        ]

    def delete(self) -> None:
        """The executor ends, and leaves nothing."""
        self._file.delete()

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
    """Owns the file. ``spec``: of the pool that it holds. ``huge``: it is to have huge pages, or no file's memory.

    A page is written to only once ``provide`` has said that the file system has given it memory: where that is full, a
    step fails instead of the process, and pools have the process's own memory from then on.
    """

    def __init__(self, file: PoolFile, spec: PoolSpec, pools: FilePools, *, huge: bool = False) -> None:
        self.spec = spec
        self._huge = huge
        self._file = file
        self._pools = pools
        self._pool: Pool | None = None
        self._survivors: Survivors | None = None
        self._provided: list[bytearray] = []
        """Of each group, which pages are known to have memory."""
        self._made = self._over = False

    def make(self) -> Pool | None:
        """Makes the pool: the first time with whatever the file holds, then without. None where it is to have the
        process's own memory. Raises ``MemoryError``."""
        if self._over:
            return None
        if self._made:
            self._survivors = self._pool = None
        try:
            if self._made:
                self._file.renew()
            pool = self._pools.pool(self.spec, self._file.descriptor, self._file.offset)
            if self._huge:
                self._pools.require_huge(pool)
        except OSError as error:
            self._give_up(error)
            return None
        if not self._made:
            parts = [self._pools.parts(pool, group) for group in range(len(self.spec.groups))]
            self._survivors = Survivors(self._file.records, parts)
            self._survivors.start()
        self._provided = [bytearray(part.pages) for part in self.spec.groups]
        self._pool, self._made = pool, True
        return pool

    def provide(self, group: int, pages: Sequence[int]) -> None:
        """Has pages that are about to be written to have memory. Raises ``OSError`` where there is none: nothing may be
        written then, and the next pool is one of the process's own memory."""
        if self._pool is None:
            return
        provided = self._provided[group]
        lacking = [page for page in pages if not provided[page]]
        if not lacking:
            return
        try:
            self._pools.provide(self._pool, group, lacking)
        except OSError as error:
            self._give_up(error)
            raise
        for page in lacking:
            provided[page] = 1

    def shrunk(self, pages: Sequence[int]) -> None:
        """The pool has so many pages of each group: the memory of others went back."""
        for provided, count in zip(self._provided, pages, strict=False):
            provided[count:] = bytes(max(0, len(provided) - count))

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
        self._pool = None
        self._file.delete()

    def _give_up(self, error: OSError) -> None:
        if self._made:
            log.warning("pages of conversations outlive this process no more: %s", error.strerror or error)
        else:
            log.info("pages do not outlive this process: %s", error.strerror or error)
        self._over, self._pool = True, None
        self._file.abandon()

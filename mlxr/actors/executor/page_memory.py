"""The memory of a model's pages: made with the pool, taken and given back as steps say, copied within."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from mlxr.actors.executor.buffer_cache import BufferCache
from mlxr.actors.executor.device_faults import PoolFullError
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.pool_size import group_pages
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.runtime.messages.executor import Step


class PageMemory:
    """Owns the pool on the device. All methods belong to the device's thread.

    ``spec``: None for a model that keeps no pages. ``shared``: makes the pool, where it is to outlive the process.

    Attributes:
        pool: with all pages that have memory; None where the model keeps none, and between ``drop`` and ``renew``.
    """

    def __init__(
        self, backend: Backend, spec: PoolSpec | None, cache: BufferCache, shared: SharedPool | None = None
    ) -> None:
        self._backend = backend
        self._spec = spec
        self._cache = cache
        self._shared = shared
        self.pool: Pool | None = None
        self.renew()

    def drop(self) -> None:
        self.pool = None

    def renew(self) -> None:
        """Makes an empty pool with all pages, or with the first of them where all would take memory at once."""
        if self._spec is None:
            return
        groups = group_pages(self._spec, self._backend.sizes, self._backend.lazy_pages)
        sized = self._spec.sized([min(group.extent or group.pages, group.pages) for group in groups])
        self.pool = self._shared.make() if self._shared is not None else None
        if self.pool is None:
            self.pool = self._backend.pool(sized)
        self._cache.rest()

    @property
    def pages(self) -> list[int]:
        """How many of each group have memory."""
        return [part.pages for part in self.pool.spec.groups] if self.pool is not None else []

    def prepare(self, step: Step) -> None:
        """Gives each group the memory that the step is to have, and copies the pages that it wants copied. Raises
        ``PoolFullError`` where there is no memory for so many, ``OSError`` where a file has none to give."""
        if self.pool is None:  # nominal pages have no memory
            return
        sizes = [size.pages for size in step.sizes]
        if sizes:
            self._make_room(self.pool, sizes)
        if self._shared is not None:
            self._provide(self._shared, step)
        for group in {copy.group for copy in step.copies}:
            pairs = [(copy.source, copy.target) for copy in step.copies if copy.group == group]
            self._backend.copy_pages(self.pool, group, pairs)
        if sizes:
            # Only now: pages that are copied may come from where memory goes back.
            self._resize(self.pool, sizes)

    def barrier(self) -> list[mx.array]:
        """Returns what is to be computed before pages are as the last step leaves them."""
        return [] if self.pool is None else self._backend.barrier(self.pool)

    def _provide(self, shared: SharedPool, step: Step) -> None:
        """Has what the step writes to have memory."""
        for row in step.rows:
            for group, change in enumerate(row.tables):
                if change.pages:
                    shared.provide(group, change.pages)
        for copy in step.copies:
            shared.provide(copy.group, [copy.target])

    def _make_room(self, pool: Pool, wanted: Sequence[int]) -> None:
        now = self.pages
        try:
            self._resize(pool, [max(count, there) for count, there in zip(wanted, now, strict=True)])
        except (RuntimeError, MemoryError) as error:
            raise PoolFullError(now, str(error)) from error

    def _resize(self, pool: Pool, pages: Sequence[int]) -> None:
        self._backend.resize(pool, pages)
        if self._shared is not None:
            self._shared.shrunk(pages)
        self._cache.rest()

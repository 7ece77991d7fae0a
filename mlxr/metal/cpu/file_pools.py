"""Pools of the native module whose memory is a file's, and outlives the process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cpu import _native
from mlxr.metal.cpu.pages import HUGE_PAGE, KINDS, allocate, native_pool, provide_pages, require_huge
from mlxr.metal.pool import Pool, PoolSpec, require_kinds
from mlxr.metal.sizes import BackendSizes


class CpuFilePools:
    """Implements ``mlxr.metal.pool.FilePools``."""

    def __init__(self, backend: str, sizes: BackendSizes) -> None:
        self._backend = backend
        self._sizes = sizes

    def nbytes(self, spec: PoolSpec) -> int:
        return sum(-(-self._sizes.pool(PoolSpec((part,))) // HUGE_PAGE) * HUGE_PAGE for part in spec.groups)

    def pool(self, spec: PoolSpec, file: int, offset: int) -> Pool:
        require_kinds(spec, self._backend, *KINDS)
        native = allocate(spec, _native.Pool(file=file, offset=offset))
        layers = dict.fromkeys((layer for layer, _, _ in spec.layers()), native)
        return Pool(spec, layers, self._sizes.pool(spec), of_file=True)

    def require_huge(self, pool: Pool) -> None:
        require_huge(pool)

    def provide(self, pool: Pool, group: int, pages: Sequence[int]) -> None:
        provide_pages(pool, group, pages)

    def parts(self, pool: Pool, group: int) -> list[NDArray[np.uint8]]:
        return native_pool(pool).parts(group)

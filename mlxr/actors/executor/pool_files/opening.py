"""Whether an engine's pool is to have a file's memory, and which."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlxr.actors.executor.disk import contents_digest, page_contents
from mlxr.actors.executor.pool_files.file import PoolFile, pool_path
from mlxr.actors.executor.pool_files.left import FORSAKEN_SECONDS, STALE_SECONDS, delete_left, left_bytes
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.kv.disk.quota import folder_of
from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.executor")

MOST_OVER = 1.5
"""How much larger a pool may be that was left than one made now: what is free changes from start to start."""


def open_shared_pool(
    settings: ExecutorSettings, backend: Backend, spec_of: Callable[[int], PoolSpec]
) -> SharedPool | None:
    """Opens the file for a pool, or for one with as many pages as one had that a killed process left. None where the
    pool is to have the process's own memory.

    ``spec_of``: returns a pool of the size that suits a machine with so many bytes of memory more than are free.
    """
    pools, kv = backend.file_pools, settings.kv
    if not (kv.shared_memory and kv.disk and settings.content) or pools is None:
        return None
    store = folder_of(Home.find().kv, kv.disk_path)
    delete_left(store, idle_seconds=STALE_SECONDS)
    delete_left(None, idle_seconds=FORSAKEN_SECONDS)
    spec = spec_of(left_bytes())
    contents = contents_digest(page_contents(settings.content, backend, spec))
    path = pool_path(store, contents)
    if not path.parent.is_dir():
        return None
    try:
        file = PoolFile(path, contents)
        try:
            left = spec.sized(file.counts) if len(file.counts) == len(spec.groups) else None
            if (
                left is not None
                and backend.sizes.pool(left) <= MOST_OVER * backend.sizes.pool(spec)
                and not kv.pool_tokens
            ):
                spec = left
            file.lay_out([part.pages for part in spec.groups], pools.nbytes(spec))
        except BaseException:
            file.delete()
            raise
    except OSError as error:
        log.info("pages do not outlive this process: %s", error)
        return None
    return SharedPool(file, spec, pools, huge=True)

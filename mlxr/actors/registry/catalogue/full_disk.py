"""Removes models from a disk so full that the catalogue itself can't be opened: SQLite wants room beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.store import Store
from mlxr.runtime.paths import Home


async def freed(home: Home, names: Sequence[str]) -> bool:
    """Deletes the files of the models ``names``, which are to be removed, before their names: from then on there is
    room to remove those. Returns whether it deleted any: not what other names stand for, nor anything while changes
    wait beside the catalogue, which can't be read without room. Raises as ``Store.open`` and ``Store.get``."""
    if await to_thread.run_sync(_has_log, home):
        return False
    store = await Store.open(home, copy=True)
    try:
        leaving = [await store.get(name) for name in names]
        staying = [entry for entry in await store.models() if entry.name not in {each.name for each in leaving}]
    finally:
        await store.close()
    needed = {entry.blob.path for entry in staying}
    adapters = {home.models / each.path for entry in staying for each in entry.overrides.adapters}
    gone = {entry.blob.path for entry in leaving if not entry.blob.tool} - needed - adapters
    for path in gone:
        await to_thread.run_sync(files.remove, path)
    return bool(gone)


def _has_log(home: Home) -> bool:
    log = Path(f"{home.database}-wal")
    return log.exists() and log.stat().st_size > 0

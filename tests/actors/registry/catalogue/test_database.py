from __future__ import annotations

import asyncio
import resource
import shutil
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue.database import LOG_BYTES, Database
from mlxr.actors.registry.catalogue.entry import Blob, Overrides
from mlxr.actors.registry.catalogue.files import OutOfSpace
from mlxr.actors.registry.catalogue.store import Store
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

BLOB = Blob("ab" * 32, Path(__file__), 7, ModelInfo("gguf", "llama"))
"""Of a file that is there, which is all that is asked of it."""


def size(path: Path) -> int:
    return path.stat().st_size


async def test_the_write_ahead_log_shrinks_again_after_a_large_change(tmp_path: Path) -> None:
    home = Home(tmp_path)
    log = Path(f"{home.database}-wal")
    store = await Store.open(home)
    other = await Store.open(home)
    try:
        await store.add("large", BLOB, overrides=Overrides(system="x" * (4 * LOG_BYTES)))
        assert size(log) > 4 * LOG_BYTES
        await store.copy("large", "small")
        await store.delete("large")
        await store.delete("small")
        await store.add("tiny", BLOB)
        assert size(log) <= LOG_BYTES
        assert [entry.name for entry in await other.models()] == ["tiny"]
    finally:
        await store.close()
        await other.close()


async def test_a_full_disk_is_said_at_once_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    store = await Store.open(home)
    await store.add("tiny", BLOB)
    await store.close()
    nothing = shutil.disk_usage(tmp_path)._replace(free=0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: nothing)
        # Files that can't grow are what a full disk has.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            with pytest.raises(OutOfSpace, match=r"no space left in .*; make room"):
                await Store.open(home)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store = await Store.open(home)
    assert [entry.name for entry in await store.models()] == ["tiny"]
    await store.close()


async def test_who_asks_whether_nobody_changes_the_catalogue_waits_for_no_change(tmp_path: Path) -> None:
    """One may itself wait for another process's, for half a minute."""
    database = await Database.open(Home(tmp_path), read_only=False)

    async def is_alone() -> bool:
        async with database.alone() as alone:
            return alone

    try:
        async with database.transaction():
            assert not await asyncio.create_task(is_alone())
        assert await is_alone()
    finally:
        await database.close()

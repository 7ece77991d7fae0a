from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.catalogue.database import LOG_BYTES
from mlxr.actors.registry.catalogue.entry import Blob, Overrides
from mlxr.actors.registry.catalogue.store import Store
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

BLOB = Blob("ab" * 32, Path("/x.gguf"), 7, ModelInfo("gguf", "llama"))


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

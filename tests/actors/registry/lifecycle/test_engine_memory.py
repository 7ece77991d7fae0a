"""What the system has to give, as the policy is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlxr.actors.executor.pool_files import file
from mlxr.actors.registry.lifecycle import engine_memory


def test_what_killed_servers_have_left_is_free_and_goes_where_the_system_lacks_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = 50
    monkeypatch.setattr(file, "FOLDER", tmp_path)
    monkeypatch.setattr(engine_memory, "machine_bytes", lambda: int(reserve / engine_memory.RESERVE_SHARE))
    monkeypatch.setattr(engine_memory, "available_bytes", lambda: 80)
    pool = file.PoolFile(file.pool_path(Path("/a/store"), b"c" * 16), b"c" * 16)
    pool.lay_out([4], 1 << 20)
    os.pwrite(pool.descriptor, b"a" * 4096, pool.offset)
    assert engine_memory.free_memory([]) == 30  # somebody has it
    pool.close()
    assert engine_memory.free_memory([]) == 30 + pool.path.stat().st_blocks * 512
    assert (engine_memory.lacking_memory(), pool.path.exists()) == (0, True)
    monkeypatch.setattr(engine_memory, "available_bytes", lambda: 20)
    assert (engine_memory.lacking_memory(), pool.path.exists()) == (0, False)
    assert engine_memory.lacking_memory() == 30

"""Memory of pages that are about to be written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from mlxr.metal.cache import CacheGroup
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.cpu.pages import _runs
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.kv import CacheKind

PAGES, PAGE = 4096, 32
GROUP = CacheGroup(CacheKind.FULL, tuple(range(4)), 2, 64)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_touched_pages_have_memory_before_they_are_written_to() -> None:
    backend = CpuBackend(1)
    pool = backend.pool(PoolSpec.even([GROUP], PAGES, PAGE))
    size, before = backend.page_bytes(pool, 0), resident()
    backend.touch_pages(pool, 0, range(1024), lambda: True)
    assert resident() - before > 0.9 * 1024 * size


def test_touching_changes_no_page_that_is_written_meanwhile() -> None:
    backend = CpuBackend(1)
    pool = backend.pool(PoolSpec.even([GROUP], PAGES, PAGE))
    content = np.random.default_rng(1).integers(0, 256, (64, backend.page_bytes(pool, 0)), np.uint8)
    pages = [3 * index + 1 for index in range(64)]
    touching = threading.Thread(target=backend.touch_pages, args=(pool, 0, range(256), lambda: True))
    touching.start()
    backend.write_pages(pool, 0, pages, content)
    touching.join()
    backend.touch_pages(pool, 0, pages, lambda: True)
    found = np.empty_like(content)
    backend.read_pages(pool, 0, pages, found)
    assert (found == content).all()


def test_nothing_is_touched_any_more_once_the_pool_is_to_go() -> None:
    backend = CpuBackend(1)
    pool = backend.pool(PoolSpec.even([GROUP], PAGES, PAGE))
    before = resident()
    backend.touch_pages(pool, 0, range(PAGES), lambda: False)
    assert resident() - before < 1 << 20


def test_pages_side_by_side_are_one_run() -> None:
    assert _runs([5, 1, 2, 3, 9, 8]) == [(1, 3), (5, 1), (8, 2)]


def test_pages_of_a_file_are_another_pool_s_of_the_same_file(tmp_path: Path) -> None:
    backend = CpuBackend(1)
    pools, spec, offset = backend.file_pools, PoolSpec.even([GROUP, GROUP], 300, PAGE), 2 << 20
    assert pools is not None
    with open(tmp_path / "pool", "w+b") as file:
        file.truncate(offset + pools.nbytes(spec))
        first, other = (pools.pool(spec, file.fileno(), offset) for _ in range(2))
    size = backend.page_bytes(first, 1)
    content = np.random.default_rng(1).integers(0, 256, (3, size), np.uint8)
    backend.write_pages(first, 1, [0, 7, 299], content)
    backend.touch_pages(other, 1, range(300), lambda: True)
    found = np.empty_like(content)
    backend.read_pages(other, 1, [0, 7, 299], found)
    assert (found == content).all()
    assert (np.concatenate(pools.parts(other, 1), axis=1)[[0, 7, 299]] == content).all()
    backend.read_pages(other, 0, [0, 7, 299], found)
    assert not found.any()


def test_memory_of_a_file_s_pages_goes_back_and_those_before_stay(tmp_path: Path) -> None:
    backend = CpuBackend(1)
    pools, spec = backend.file_pools, PoolSpec.even([GROUP], 256, PAGE)
    assert pools is not None
    with open(tmp_path / "pool", "w+b") as file:
        file.truncate(pools.nbytes(spec))
        pool = pools.pool(spec, file.fileno(), 0)
    content = np.full((256, backend.page_bytes(pool, 0)), 7, np.uint8)
    backend.write_pages(pool, 0, range(256), content)
    backend.resize(pool, [128])
    backend.read_pages(pool, 0, range(256), content)
    assert (content[:128] == 7).all()
    assert not content[128:].any()


def test_pages_that_a_file_system_has_no_room_for_are_refused_before_they_are_written() -> None:
    backend = CpuBackend(1)
    pools, spec = backend.file_pools, PoolSpec.even([GROUP], 256, PAGE)
    assert pools is not None
    file = os.memfd_create("pool")
    os.ftruncate(file, pools.nbytes(spec))
    pool = pools.pool(spec, file, 0)
    pools.provide(pool, 0, [0, 255])
    # As others do who fill it up: writing there would end the process now.
    os.ftruncate(file, 0)
    with pytest.raises(OSError, match="No space left"):
        pools.provide(pool, 0, [3])
    os.close(file)

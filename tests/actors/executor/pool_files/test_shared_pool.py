"""A pool in a file: what the next executor finds of it, whatever became of its bytes."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mlxr.actors.executor.pool_files.file import HEAD_BYTES, PoolFile
from mlxr.actors.executor.pool_files.records import ENTRY_BYTES, Record, checksum_of
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.metal.cache import CacheGroup
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.runtime.messages.kv import CacheKind, PoolPagesFound, StoredPage

CONTENTS = b"c" * 16
GROUPS = [CacheGroup(CacheKind.FULL, (0, 2), 1, 16), CacheGroup(CacheKind.FULL, (1,), 1, 8)]
SPEC = PoolSpec.even(GROUPS, 6, 16)
BACKEND = CpuBackend(1)


def address(number: int) -> bytes:
    return number.to_bytes(16, "little")


class Executor:
    """One that has a pool, and may be killed."""

    def __init__(self, folder: Path) -> None:
        assert BACKEND.file_pools is not None
        self._file = PoolFile(folder / "pool", CONTENTS)
        self._file.lay_out([6, 6], BACKEND.file_pools.nbytes(SPEC))
        self.shared = SharedPool(self._file, SPEC, BACKEND.file_pools)
        self.pool: Pool | None = self.shared.make()

    def write(self, group: int, page: int, seed: int) -> None:
        assert self.pool is not None
        size = BACKEND.page_bytes(self.pool, group)
        content = np.random.default_rng(seed).integers(0, 256, (1, size), np.uint8)
        BACKEND.write_pages(self.pool, group, [page], content)

    def record(self, group: int, page: int, tail: int = 0) -> None:
        assert self.pool is not None
        assert BACKEND.file_pools is not None
        stored = StoredPage(address(10 * group + page), address(99) if tail else b"", tail)
        checksum = checksum_of(BACKEND.file_pools.parts(self.pool, group), page)
        self.shared.note([Record(group, page, stored, checksum)])

    def killed(self) -> None:
        """Nothing is tidied up."""
        self.shared.survivors(0)
        self.pool = self.shared._pool = None
        self._file.close()


def found_by_the_next(folder: Path) -> list[PoolPagesFound]:
    following = Executor(folder)
    found = following.shared.survivors(7)
    following.killed()
    return found


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Where one was killed that had recorded pages 3 and 1 of the first group, and page 2 of the other."""
    executor = Executor(tmp_path)
    for group, page in ((0, 3), (1, 2), (0, 1)):
        executor.write(group, page, page)
        executor.record(group, page, tail=5 * group)
    executor.write(0, 5, 5)
    executor.killed()
    return tmp_path


def test_recorded_pages_are_found_in_the_order_that_they_were_recorded_in(killed: Path) -> None:
    assert found_by_the_next(killed) == [
        PoolPagesFound(7, 0, [3, 1], [StoredPage(address(3)), StoredPage(address(1))]),
        PoolPagesFound(7, 1, [2], [StoredPage(address(12), address(99), 5)]),
    ]


def test_what_was_found_is_found_by_the_one_after_that_too_and_by_each_once(killed: Path) -> None:
    before = found_by_the_next(killed)
    following = Executor(killed)
    assert following.shared.survivors(7) == before
    assert following.shared.survivors(7) == []
    following.write(0, 0, 9)
    following.record(0, 0)
    following.killed()
    assert found_by_the_next(killed)[0].pages == [3, 1, 0]


def test_a_page_that_was_written_to_since_is_not_found(killed: Path) -> None:
    following = Executor(killed)
    following.write(0, 3, 99)
    following.killed()
    assert [found.pages for found in found_by_the_next(killed)] == [[1], [2]]


def test_a_flipped_bit_of_a_record_or_a_page_costs_that_page_and_no_other(killed: Path) -> None:
    whole = (killed / "pool").read_bytes()
    first_page = PoolFile(killed / "pool", CONTENTS)
    first_page.lay_out([6, 6], len(whole) - (2 << 20))
    offset, record = first_page.offset, HEAD_BYTES + 3 * ENTRY_BYTES
    first_page.close()
    page_keys = 16 * 16 * 2
    of_record = itertools.product([record], range(8 * ENTRY_BYTES))
    of_page = itertools.product([offset + 3 * page_keys], range(0, 8 * page_keys, 61))
    for begin, bit in [*of_record, *of_page]:
        damaged = whole[begin + bit // 8] ^ (1 << bit % 8)
        with open(killed / "pool", "r+b") as opened:
            os.pwrite(opened.fileno(), bytes([damaged]), begin + bit // 8)
            found = found_by_the_next(killed)
            assert [each.pages for each in found] == [[1], [2]], (begin, bit)
            os.pwrite(opened.fileno(), whole[begin + bit // 8 : begin + bit // 8 + 1], begin + bit // 8)


def test_a_record_moved_to_another_page_is_none(killed: Path) -> None:
    with open(killed / "pool", "r+b") as opened:
        record = os.pread(opened.fileno(), ENTRY_BYTES, HEAD_BYTES + 3 * ENTRY_BYTES)
        os.pwrite(opened.fileno(), record, HEAD_BYTES + 4 * ENTRY_BYTES)
    assert found_by_the_next(killed)[0].pages == [3, 1]


def test_nothing_is_found_behind_a_step_that_broke(killed: Path) -> None:
    following = Executor(killed)
    following.pool = None
    following.pool = following.shared.make()
    following.killed()
    assert found_by_the_next(killed) == []


def test_an_executor_that_ends_by_itself_leaves_no_file(killed: Path) -> None:
    following = Executor(killed)
    following.pool = None
    following.shared.delete()
    assert not (killed / "pool").exists()


def test_a_full_file_system_fails_what_would_write_and_the_next_pool_has_the_processs_own_memory(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pool: Pool, group: int, pages: Sequence[int]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    following = Executor(killed)
    following.shared.survivors(7)
    following.shared.provide(0, [0, 1])
    monkeypatch.setattr(BACKEND.file_pools, "provide", full)
    following.shared.provide(0, [1])
    with pytest.raises(OSError, match="No space"):
        following.shared.provide(0, [1, 2])
    assert not (killed / "pool").exists()
    following.record(0, 1)  # as a thread may at that moment
    following.pool = None
    assert following.shared.make() is None
    following.shared.provide(0, [2])
    following.shared.delete()


def test_memory_that_went_back_is_asked_for_again(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    following = Executor(killed)
    monkeypatch.setattr(BACKEND.file_pools, "provide", lambda pool, group, pages: asked.append(list(pages)))
    following.shared.provide(1, [0, 3])
    following.shared.shrunk([6, 2])
    following.shared.provide(1, [0, 3])
    assert asked == [[0, 3], [3]]
    following.killed()

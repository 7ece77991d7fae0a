"""Pools that shrink and grow: what stays is as it was, and what goes takes no memory."""

from __future__ import annotations

import os

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.cache import attention_group
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.runtime.system_memory import resident_of
from tests.metal.backends import ALL, ALL_IDS
from tests.metal.parity.test_page_bytes import GROUPS, contents_of


@pytest.mark.parametrize("group", range(len(GROUPS)), ids=[group.kind.value for group in GROUPS])
@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_the_first_pages_keep_what_they_hold_and_new_ones_can_be_used(backend: Backend, group: int) -> None:
    pool = backend.pool(PoolSpec.even(GROUPS, 600, 16))
    content = contents_of(backend, pool, group, 600)
    backend.write_pages(pool, group, list(range(600)), content)
    backend.resize(pool, [4] * len(GROUPS))
    assert [part.pages for part in pool.spec.groups] == [4] * len(GROUPS)
    backend.resize(pool, [600] * len(GROUPS))
    read = np.ones_like(content)
    backend.read_pages(pool, group, list(range(600)), read)
    assert np.array_equal(read[:4], content[:4])
    backend.write_pages(pool, group, list(range(4, 600)), content[4:])
    backend.read_pages(pool, group, list(range(600)), read)
    assert np.array_equal(read, content)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_copies_that_were_asked_for_before_have_been_made(backend: Backend) -> None:
    pool = backend.pool(PoolSpec.even(GROUPS, 200, 16))
    content = contents_of(backend, pool, 0, 1)
    backend.write_pages(pool, 0, [199], content)
    backend.copy_pages(pool, 0, [(199, 1)])
    backend.resize(pool, [2] * len(GROUPS))
    read = np.empty_like(content)
    backend.read_pages(pool, 0, [1], read)
    assert np.array_equal(read, content)


def test_pages_of_the_cpu_take_memory_when_they_are_written_to_and_give_it_back() -> None:
    backend, pages = CpuBackend(1), 1024
    pool = backend.pool(PoolSpec.even([attention_group(0, 16, 128)], 8 * pages, 32))
    content = np.ones((pages, backend.page_bytes(pool, 0)), np.uint8)
    before = resident_of_this()
    assert pool.nbytes == 8 * content.nbytes
    backend.write_pages(pool, 0, list(range(pages)), content)
    written = resident_of_this() - before
    assert content.nbytes < 1.1 * written
    backend.resize(pool, [1])
    assert resident_of_this() - before < 0.1 * written


def test_pages_of_arrays_give_their_memory_back() -> None:
    backend = ReferenceBackend()
    pool = backend.pool(PoolSpec.even([attention_group(0, 16, 128)], 256, 32))
    before = mx.get_active_memory()
    backend.resize(pool, [8])
    assert before - mx.get_active_memory() == 248 * backend.page_bytes(pool, 0)


def resident_of_this() -> int:
    return resident_of(os.getpid())

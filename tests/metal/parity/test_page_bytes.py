"""Pages as bytes: what a backend reads out of a pool, another pool of its own goes on from, to the bit."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import CacheGroup, NumberType, attention_group, latent_group, state_group
from mlxr.metal.pool import Pool, PoolSpec
from tests.metal.backends import ALL, ALL_IDS
from tests.metal.parity.test_attention import attention_of, spec_of, steps_of
from tests.metal.tensors import Matrix, normal

GROUPS = (
    CacheGroup(attention_group(0, 2, 32).kind, (0, 2), 2, 32),
    attention_group(1, 2, 64, window=32),
    latent_group(3, 48),
    state_group(4, 100),
    attention_group(5, 2, 40).typed(NumberType.INT8, NumberType.INT8),
    attention_group(6, 2, 40).typed(NumberType.HALF, NumberType.INT8),
    latent_group(7, 48).typed(NumberType.INT8, NumberType.INT8),
)
IDS = [" ".join([group.kind.value, *(vectors.type.value for vectors in group.vectors)]) for group in GROUPS]


@pytest.mark.parametrize("group", range(len(GROUPS)), ids=IDS)
@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_pages_are_read_as_they_were_written_and_others_stay(backend: Backend, group: int) -> None:
    pool = backend.pool(PoolSpec.even(GROUPS, 6, 16))
    content = contents_of(backend, pool, group, 3)
    backend.write_pages(pool, group, [4, 1, 2], content)
    read = np.zeros((4, backend.page_bytes(pool, group)), np.uint8)
    backend.read_pages(pool, group, [1, 2, 3, 4], read)
    assert np.array_equal(read, np.stack([content[1], content[2], np.zeros_like(content[0]), content[0]]))


def contents_of(backend: Backend, pool: Pool, group: int, pages: int) -> NDArray[np.uint8]:
    """Bytes that are numbers in 16 bits as in 32, and as codes with scales."""
    nbytes = backend.page_bytes(pool, group)
    numbers = np.random.default_rng(group).normal(size=(pages, -(-nbytes // 4)))
    return numbers.astype(np.float32).view(np.uint8)[:, :nbytes]


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_sequence_goes_on_to_the_bit_from_pages_that_were_read_out_and_written_elsewhere(backend: Backend) -> None:
    weights, spec = attention_of(backend, spec_of()), PoolSpec.even([attention_group(0, 2, 32)], 12, 16)
    attend = backend.attention(weights, spec_of(), 0)
    before, after = backend.pool(spec), backend.pool(spec)
    first = steps_of([[20]], 16, 4)[0]
    mx.eval(attend(mx.array(normal(1, 20, 64)), backend.on_device(first), before), backend.barrier(before))
    used = first.groups[0].block_tables[0].tolist()
    content = np.empty((2, backend.page_bytes(before, 0)), np.uint8)
    backend.read_pages(before, 0, used[:2], content)
    backend.write_pages(after, 0, [10, 9], content)

    def continued(pool: Pool, pages: list[int]) -> Matrix:
        slots, tables = np.array([pages[1] * 16 + 4], np.int32), np.array([pages], np.int32)
        numbers = (np.array(part, np.int32) for part in ([0, 1], [21], [20]))
        step = Batch(*numbers, (GroupTables(slots, tables, 16),))
        out = attend(mx.array(normal(2, 1, 64)), backend.on_device(step), pool)
        mx.eval(out, backend.barrier(pool))
        return np.array(out)

    assert np.array_equal(continued(after, [10, 9]), continued(before, used[:2]))

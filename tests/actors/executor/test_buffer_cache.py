"""MLX keeps no more of freed memory than a step works with."""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import pytest

from mlxr.actors.executor.buffer_cache import LEAST_BYTES, BufferCache


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = mx.set_cache_limit(0)
    yield
    mx.set_cache_limit(before)


def step(megabytes: int) -> None:
    array = mx.zeros(megabytes << 18) + 1
    mx.eval(array)


def test_the_cap_is_what_the_largest_step_worked_with() -> None:
    kept = mx.ones(8 << 20)
    mx.eval(kept)
    cache = BufferCache()
    step(1)
    cache.note()
    assert cache.limit == LEAST_BYTES
    step(200)
    cache.note()
    assert 200 << 20 <= cache.limit < 500 << 20
    assert mx.set_cache_limit(cache.limit) == cache.limit
    large = cache.limit
    step(10)
    cache.note()
    assert cache.limit == large


def test_what_prompts_of_ever_other_lengths_leave_behind_stays_below_the_cap() -> None:
    cache = BufferCache()
    for megabytes in range(20, 120, 7):
        step(megabytes)
        cache.note()
    assert mx.get_cache_memory() <= cache.limit < 300 << 20

"""Whether a model fits is worked out from its footprint, and what is said where it does not."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from mlxr.actors.executor.memory_need import LEAST_CONTEXT, DoesNotFit, MemoryNeed, memory_need
from mlxr.actors.executor.pool_size import PoolSizes, pool_spec
from mlxr.actors.executor.settings import ExecutorSettings, KVSection
from mlxr.actors.kv.disk.saving import COPIED_BYTES
from mlxr.metal.cache import CacheGroup, attention_group, cache_groups, state_group
from mlxr.metal.cpu.sizes import HUGE_PAGE, CpuSizes
from mlxr.metal.tensors import TensorType
from mlxr.models.footprint import Footprint

FULL = cache_groups(attention_group(layer, 8, 128) for layer in range(32))
TOKEN = 32 * 8 * 128 * 2 * 2
"""Bytes of keys and values of one token."""
GB = 10**9
MODEL = Footprint(
    weights=4 * GB,
    experts=0,
    reads={TensorType.Q4_K: 4 * GB},
    numbers=8 * GB,
    read_numbers=8 * GB,
    loading=4 * GB + GB // 2,
    width=4096,
    hidden=14336,
    vocabulary=128256,
    operations=64,
    context_length=131072,
    groups=FULL,
)
SIZES = PoolSizes(page_size=32, tokens=0, context_length=131072, budget=0, longest_row=512)
BACKEND = CpuSizes()


def need(
    available: int, context: int = 0, model: Footprint = MODEL, tokens: int = 0, sizes: PoolSizes = SIZES
) -> MemoryNeed:
    return memory_need(model, replace(sizes, tokens=tokens), BACKEND, context, available)


def test_a_load_needs_its_weights_pages_for_the_context_and_room_to_work() -> None:
    found = need(100 * GB, context=8192)
    assert found.fits
    assert (found.context, found.fitting_context) == (8192, 8192)
    assert found.cache == 8192 * TOKEN
    assert found.needed == found.weights + found.cache + found.working
    assert 512 * (4096 + 14336) * 4 < found.working < GB


def test_where_no_context_is_asked_for_little_must_be_there() -> None:
    found = need(5 * GB)
    assert found.fits
    assert found.context == LEAST_CONTEXT


def test_a_context_is_no_longer_than_the_models_own() -> None:
    assert need(10**15, context=10**9).context == 131072


def test_a_refusal_says_what_is_needed_and_offers_the_longest_context_that_fits() -> None:
    found = need(6 * GB, context=32768)
    assert not found.fits
    with pytest.raises(DoesNotFit) as refused:
        found.require()
    said = str(refused.value)
    assert said.startswith("it needs 4.0 GB for weights and 4.3 GB for a context of 32768 tokens")
    assert "6.0 GB available" in said
    assert f"--set executor.context_length={found.fitting_context}, or take a smaller quantization" in said
    assert "\n" not in said
    assert need(6 * GB, context=found.fitting_context).fits
    assert not need(6 * GB, context=found.fitting_context + SIZES.page_size).fits


def test_where_weights_alone_are_too_large_no_context_is_offered() -> None:
    for context in (0, 32768):
        found = need(3 * GB, context)
        assert not found.fits
        assert found.fitting_context == 0
        assert "executor.context_length" not in found.refusal
        assert "take a smaller quantization, or free memory" in found.refusal


def test_a_tensor_that_is_there_in_two_forms_while_it_is_read_must_fit_too() -> None:
    model = replace(MODEL, loading=9 * GB)
    assert need(9 * GB + 1, model=model).fits
    assert not need(8 * GB, model=model).fits


def test_a_pool_whose_size_is_set_must_fit() -> None:
    assert need(9 * GB, tokens=16384).fits
    assert not need(9 * GB, tokens=65536).fits


def test_pages_on_their_way_to_the_disk_are_counted_where_there_is_a_disk() -> None:
    with_disk, without = (
        ExecutorSettings("", kv=KVSection(disk=disk)).pool_sizes(MODEL.context_length, 0, 512) for disk in (True, False)
    )
    assert need(GB, sizes=with_disk).working == need(GB, sizes=without).working + COPIED_BYTES


def test_an_encoder_needs_no_pages() -> None:
    found = need(5 * GB, context=32768, model=replace(MODEL, groups=()))
    assert (found.cache, found.context) == (0, 0)
    assert found.fits
    assert "context" not in need(1, model=replace(MODEL, groups=())).refusal


def test_states_are_needed_whatever_the_context() -> None:
    groups = (*FULL[:1], *cache_groups(state_group(layer, 10**6) for layer in range(32, 40)))
    short, long = (need(100 * GB, context, replace(MODEL, groups=groups)) for context in (2048, 8192))
    without = need(100 * GB, 2048)
    assert short.cache - without.cache > 8 * 10**6 * 4
    assert long.cache > short.cache + (8192 - 2048) * TOKEN


def test_memory_comes_in_huge_pages() -> None:
    """A few tokens take a huge page of each layer's keys and of its values, where the system has them."""
    few = need(100 * GB, context=32).cache
    assert few == (64 * HUGE_PAGE if sys.platform == "linux" else 32 * TOKEN)
    assert few <= need(100 * GB, context=512).cache


@pytest.mark.parametrize("groups", [FULL, cache_groups(attention_group(layer, 1, 256, 512) for layer in range(4))])
def test_a_pool_holds_the_context_that_is_asked_for_whatever_its_share_of_memory(
    groups: tuple[CacheGroup, ...],
) -> None:
    wished = replace(SIZES, least=32768, budget=100 * TOKEN * 32)
    asked = memory_need(replace(MODEL, groups=groups), SIZES, BACKEND, 32768, 100 * GB)
    assert BACKEND.resident(pool_spec(groups, wished, BACKEND.pool)) >= asked.cache
    assert pool_spec(groups, replace(wished, least=0), BACKEND.pool) != pool_spec(FULL, wished, BACKEND.pool)

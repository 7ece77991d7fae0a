"""The native module's pages are as large as they are worked out to be."""

from __future__ import annotations

from mlxr.metal.cache import attention_group, cache_groups, latent_group, state_group
from mlxr.metal.cpu import _native
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.pool import PoolSpec


def test_pages_take_what_the_native_module_allocates() -> None:
    sizes = CpuSizes()
    for heads, dims, page_size in ((2, 64, 32), (3, 80, 16), (1, 72, 24)):
        part = cache_groups([attention_group(layer, heads, dims) for layer in range(3)])
        took = _native.keys_and_values_bytes(layers=3, pages=5, page_size=page_size, kv_heads=heads, head_dim=dims)
        assert sizes.pool(PoolSpec.even(part, 5, page_size)) == took
    latents = PoolSpec.even(cache_groups([latent_group(0, 72)]), 7, 32)
    assert sizes.pool(latents) == _native.latents_bytes(layers=1, pages=7, page_size=32, numbers=72)
    states = PoolSpec.even(cache_groups([state_group(0, 100), state_group(1, 100)]), 7, 32)
    assert sizes.pool(states) == _native.states_bytes(layers=2, pages=7, numbers=100)

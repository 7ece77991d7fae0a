"""How a model's layers are joined into cache groups."""

from __future__ import annotations

from mlxr.metal.cache import CacheGroup, attention_group, cache_groups
from mlxr.runtime.messages.kv import CacheKind


def test_layers_that_keep_alike_form_one_group_in_the_order_of_their_first() -> None:
    windows = {0: 512, 1: 512, 2: None, 3: 512, 4: 512, 5: None}
    groups = cache_groups(attention_group(layer, 1, 256, window) for layer, window in windows.items())
    assert groups == (
        CacheGroup(CacheKind.WINDOW, (0, 1, 3, 4), 1, 256, 512),
        CacheGroup(CacheKind.FULL, (2, 5), 1, 256),
    )


def test_layers_of_another_head_size_window_or_kind_are_another_group() -> None:
    layers = [
        attention_group(0, 2, 64),
        attention_group(1, 2, 128),
        attention_group(2, 4, 64),
        attention_group(3, 2, 64, 512),
        attention_group(4, 2, 64, 1024),
        CacheGroup(CacheKind.LATENT, (5,), 2, 64),
        CacheGroup(CacheKind.STATE, (6,), state_size=100),
        attention_group(7, 2, 64),
    ]
    assert [group.layers for group in cache_groups(layers)] == [(0, 7), (1,), (2,), (3,), (4,), (5,), (6,)]


def test_a_page_holds_keys_and_values_one_vector_or_one_state() -> None:
    assert attention_group(0, 2, 64).page_numbers(32) == 2 * 32 * 2 * 64
    assert CacheGroup(CacheKind.LATENT, (0,), 1, 576).page_numbers(32) == 32 * 576
    assert CacheGroup(CacheKind.STATE, (0,), state_size=1000).page_numbers(32) == 1000

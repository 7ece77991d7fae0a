"""States in the pools of every backend."""

from __future__ import annotations

import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.cache import CacheGroup, attention_group
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.kv import CacheKind
from tests.metal.backends import ALL, ALL_IDS


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_state_takes_four_bytes_a_number_beside_keys_and_values(backend: Backend) -> None:
    keys = attention_group(1, 2, 64)
    states = CacheGroup(CacheKind.STATE, (0, 2), state_size=1000)
    without, both = (PoolSpec.even(groups, 5, 16) for groups in ([keys], [states, keys]))
    assert backend.sizes.pool(both) - backend.sizes.pool(without) == 2 * 5 * 1000 * 4
    assert sorted(backend.pool(both).layers) == [0, 1, 2]

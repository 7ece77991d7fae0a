"""Where values come from: normed, from the key projection, or from an earlier layer's pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.cache import cache_groups
from mlxr.metal.pool import PoolSpec
from mlxr.metal.specs import AttentionSpec
from mlxr.metal.weights import AttentionWeights
from tests.metal.backends import ALL, ALL_IDS, BACKENDS, IDS, slack
from tests.metal.parity.test_attention import REFERENCE, attention_of, inputs_of, spec_of, steps_of
from tests.metal.tensors import Matrix

COUNTS = [[20, 3, 0, 41], [1, 1, 9, 1], [0, 30, 1, 1]]


def run_layers(backend: Backend, layers: list[tuple[AttentionWeights, AttentionSpec]], page_size: int) -> Matrix:
    """Outputs of all steps through all layers, one above another."""
    groups = cache_groups(group for number, (_, spec) in enumerate(layers) if (group := spec.cache(number)) is not None)
    pool = backend.pool(PoolSpec.even(groups, 150, page_size))
    attends = [backend.attention(weights, spec, number) for number, (weights, spec) in enumerate(layers)]
    outs = []
    for batch in steps_of(COUNTS, page_size, 150):
        step = replace(batch, groups=batch.groups * len(groups))
        owners = np.repeat(np.arange(len(batch.context_lengths)), np.diff(batch.query_starts))
        x, on_device = mx.array(inputs_of(owners, batch.positions, 1.0)), backend.on_device(step)
        for attend in attends:
            x = attend(x, on_device, pool)
        mx.eval([x, *backend.barrier(pool)])
        outs.append(np.array(x))
    return np.concatenate(outs)


def without(weights: AttentionWeights, *parts: str) -> AttentionWeights:
    gone: dict[str, Any] = dict.fromkeys(parts)
    return replace(weights, **gone)


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("changes", [{"norm_values": True}, {"values_are_keys": True}, {"window": 7}])
@pytest.mark.parametrize("page_size", [5, 16])
def test_layers_that_read_an_earlier_one_s_keys_and_values_agree(
    backend: Backend, changes: dict[str, bool], page_size: int
) -> None:
    def layers(own: Backend) -> list[tuple[AttentionWeights, AttentionSpec]]:
        wide, narrow = spec_of(head_dim=64, **changes), spec_of(4, 1, 32, **changes)
        dressed = [attention_of(own, spec, dressed=True) for spec in (wide, narrow, wide)]
        if "values_are_keys" in changes:
            dressed = [without(weights, "value", "value_bias") for weights in dressed]
        keyless = without(dressed[2], "key", "value", "key_bias", "value_bias", "key_norm")
        return [(dressed[0], wide), (dressed[1], narrow), (keyless, replace(wide, kv_layer=0))]

    ours, theirs = run_layers(backend, layers(backend), page_size), run_layers(REFERENCE, layers(REFERENCE), page_size)
    assert np.abs(ours - theirs).max() < 5e-3 * slack(backend, 8)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_values_that_are_keys_are_those_of_an_equal_value_projection(backend: Backend) -> None:
    spec = spec_of(norm_values=True)
    weights = attention_of(backend, spec, dressed=True)
    same = replace(weights, value=weights.key, value_bias=weights.key_bias)
    shared = without(weights, "value", "value_bias")
    one, other = (
        run_layers(backend, [layer], 16) for layer in [(same, spec), (shared, replace(spec, values_are_keys=True))]
    )
    assert np.abs(one - other).max() < 1e-5 * slack(backend, 300)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_normed_values_do_not_depend_on_the_size_of_the_value_projection(backend: Backend) -> None:
    spec = spec_of(norm_values=True, norm_eps=1e-9)
    weights = attention_of(backend, spec)
    larger = replace(weights, value=attention_of(backend, spec, factor=8.0).value)
    one, other = run_layers(backend, [(weights, spec)], 16), run_layers(backend, [(larger, spec)], 16)
    assert np.abs(one - other).max() < 1e-5 * slack(backend, 300)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_layer_without_keys_needs_the_pages_of_one_that_has_them(backend: Backend) -> None:
    spec = spec_of(kv_layer=0)
    attend = backend.attention(without(attention_of(backend, spec), "key", "value"), spec, 1)
    batch = steps_of([[3]], 16, 2)[0]
    with pytest.raises(ValueError, match="reads another's keys and values"):
        mx.eval(attend(mx.ones((3, 64)), backend.on_device(batch), None))

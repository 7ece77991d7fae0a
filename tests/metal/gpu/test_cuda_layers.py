"""The mlx backend's dense layers as one kernel for CUDA, which the emulator runs: steps of every kind give what plain
arithmetic gives, and no two grids can run at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.cache import attention_group
from mlxr.metal.gpu.decoder_layer.layer_shape import LayerShape
from mlxr.metal.mlx import device
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.check_inputs import FEATURES, HEAD_DIM, HEADS, KV_HEADS, PAGE, batch_of
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.device_checks import holds
from mlxr.metal.mlx.grid_memory import GridMemory
from mlxr.metal.operations import one_by_one
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, MLPSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import AttentionWeights, ExpertsWeights, MLPWeights
from tests.metal.gpu import emulated_mlx
from tests.metal.tensors import random_tensor

WAYS_HERE = replace(WAYS["cuda"], wide_sums=True, fused=False, masked_queries=True)
REST = ["experts_gates", "experts_mixture"]


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of kernels that were launched."""
    names: list[str] = []

    def make(*given: Any, **named: Any) -> Callable[..., list[mx.array]]:
        made = emulated_mlx.cuda_kernel(*given, **named)

        def run(*inputs: Any, **launch: Any) -> list[mx.array]:
            names.append(named["name"] if "name" in named else given[0])
            return made(*inputs, **launch)

        return run

    emulated_mlx.forget_kernels()
    monkeypatch.setattr(device, "kind", lambda: "cuda")
    monkeypatch.setattr(device, "processors", lambda: 1)
    monkeypatch.setattr(mx.fast, "cuda_kernel", make)
    yield names
    emulated_mlx.forget_kernels()


def layers_of(backend: MlxBackend | ReferenceBackend) -> list[tuple[Any, Any]]:
    """Two that are alike."""
    spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5)
    sizes = [(HEADS * HEAD_DIM, FEATURES), *[(KV_HEADS * HEAD_DIM, FEATURES)] * 2, (FEATURES, HEADS * HEAD_DIM)]
    sizes += [(64, FEATURES), (64, FEATURES), (FEATURES, 64)]
    norm, layers = mx.ones(FEATURES), []
    for number in range(2):
        rng = np.random.default_rng(number)
        weights = [backend.weight(random_tensor(TensorType.Q4_0, *size, rng, 0.02)) for size in sizes]
        query, key, value, output, up, gate, down = weights
        mix = backend.attention(AttentionWeights(query, key, value, output, norm=norm), spec, number)
        half = backend.feed_forward(MLPWeights(up, down, gate, norm=norm), MLPSpec(Activation.SILU))
        layers.append((mix, half))
    return layers


def test_steps_and_prompts_by_turns_are_as_plain_arithmetic_has_them(
    launched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two kernels, as of layers that have no room in one. Prompts are too long for kernels of ours."""
    monkeypatch.setattr(LayerShape, "most_layers", lambda shape: 1)
    group = replace(attention_group(0, KV_HEADS, HEAD_DIM), layers=(0, 1))
    steps, outs = [[30, 5], [1, 1], [33, 1], [1, 1]], []
    for backend in (MlxBackend(WAYS_HERE), ReferenceBackend()):
        layers, pool = layers_of(backend), backend.pool(PoolSpec.even([group], 16, PAGE))
        joined, done = backend.joined(layers), [0, 0]
        for number, counts in enumerate(steps):
            step = backend.on_device(batch_of(counts, done))
            x = mx.array(np.random.default_rng(number).standard_normal((sum(counts), FEATURES), np.float32))
            x = list((joined or partial(one_by_one, layers))(x, step, pool))[-1]
            outs.append(np.array(x))
            done = [before + count for before, count in zip(done, counts, strict=True)]
            if number == 1:
                backend.resize(pool, [12])
    ours, theirs = outs[: len(steps)], outs[len(steps) :]
    for own, expected in zip(ours, theirs, strict=True):
        assert np.abs(own - expected).max() <= 5e-3 * np.abs(expected).max()
    assert [name.startswith("decoder_layer") for name in launched].count(True) == 2 * 2


def test_layers_stay_apart_where_other_processes_kernels_run_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = MlxBackend(WAYS_HERE)
    layers = layers_of(backend)
    assert backend.joined(layers) is not None
    monkeypatch.setattr(device, "shares_processors", lambda: True)
    assert backend.joined(layers) is None


def test_a_grid_is_behind_the_one_before_and_all_that_writes_to_its_pages() -> None:
    grid, other = GridMemory(), mx.array([7], mx.int32)
    assert grid.behind([grid.last, grid.last]) is grid.last
    assert grid.behind([]) is grid.last
    assert grid.behind([other, None, other]).tolist() == [0, 7]


def test_blocks_that_have_no_place_beside_each_other_rule_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GridMemory, "broken", True)
    assert not holds(WAYS_HERE, "dense_layers")


@pytest.mark.parametrize(("count", "behind"), [(8, REST), (16, ["experts_router", *REST])])
def test_a_mixtures_layer_is_three_kernels_where_the_grid_has_blocks_for_the_choice(
    launched: list[str], count: int, behind: list[str]
) -> None:
    """Of one processor it has two, for four experts each."""
    backend, rng = MlxBackend(WAYS_HERE), np.random.default_rng(count)
    spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5)
    sizes = [(HEADS * HEAD_DIM, FEATURES), *[(KV_HEADS * HEAD_DIM, FEATURES)] * 2, (FEATURES, HEADS * HEAD_DIM)]
    sizes += [(count * 64, FEATURES), (count * 64, FEATURES), (count * FEATURES, 64)]
    weights = [backend.weight(random_tensor(TensorType.Q4_0, *size, rng, 0.02)) for size in sizes]
    query, key, value, output, up, gate, down = weights
    router = backend.weight(random_tensor(TensorType.F16, count, FEATURES, rng, 0.02))
    norm = mx.ones(FEATURES)
    mix = backend.attention(AttentionWeights(query, key, value, output, norm=norm), spec, 0)
    of_experts = ExpertsWeights(router, up, down, gate, norm=norm)
    joined = backend.joined([(mix, backend.feed_forward(of_experts, ExpertsSpec(Activation.SILU, count, 2)))])
    assert joined is not None
    pool = backend.pool(PoolSpec.even([attention_group(0, KV_HEADS, HEAD_DIM)], 16, PAGE))
    x = mx.array(rng.standard_normal((2, FEATURES), np.float32))
    mx.eval(list(joined(x, backend.on_device(batch_of([1, 1], [0, 0])), pool)))
    ours = [name for name in launched if name.startswith(("decoder", "experts", "affine", "attention"))]
    expected = ["decoder_layer", *behind]
    assert len(ours) == len(expected)
    assert all(name.startswith(start) for name, start in zip(ours, expected, strict=True))

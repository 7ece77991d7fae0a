"""The mlx backend with every kernel of ours that a Mac takes, which the emulator runs, against plain arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.cache import attention_group
from mlxr.metal.gpu.matmul import NUMBERS
from mlxr.metal.mlx import check_inputs, device
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.checks import CHECKS
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.device_checks import holds
from mlxr.metal.mlx.matrix_forms import KINDS, Blocks, Codes
from mlxr.metal.mlx.sizes import ROUNDED_BLOCKS
from mlxr.metal.mlx.step_attention import StepAttention
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import AttentionSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import AttentionWeights
from tests.metal.gpu import emulated_mlx
from tests.metal.gpu.launching import ON_METAL
from tests.metal.tensors import random_tensor
from tests.metal.test_sizes import require_same

# Beside our kernels MLX's own run on the CPU, where they add 16-bit numbers up in 16 bits and can't be joined.
WAYS_HERE = WAYS["metal"] if ON_METAL else replace(WAYS["metal"], wide_sums=True, fused=False)


@pytest.fixture(autouse=True)
def metal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not ON_METAL:
        emulated_mlx.forget_kernels()
        monkeypatch.setattr(device, "kind", lambda: "metal")
        monkeypatch.setattr(mx.fast, "metal_kernel", emulated_mlx.metal_kernel)
    yield
    if not ON_METAL:
        emulated_mlx.forget_kernels()


@pytest.mark.parametrize("name", [*CHECKS, "codes blocks"])
def test_what_a_mac_would_check_at_load_is_right(name: str) -> None:
    assert holds(WAYS_HERE, name)


def near(ours: mx.array, theirs: mx.array) -> bool:
    difference, expected = np.array(ours) - np.array(theirs), np.array(theirs)
    return ours.shape == theirs.shape and bool((np.abs(difference) <= 2e-3 * np.abs(expected).max(initial=0)).all())


@pytest.mark.parametrize("type", [TensorType.Q3_K, TensorType.IQ2_XXS, TensorType.TQ1_0])
def test_blocks_that_codes_would_round_stay_as_they_lie(type: TensorType) -> None:
    assert type in ROUNDED_BLOCKS
    tensor = random_tensor(type, 40, 512, np.random.default_rng(0), 0.02)
    backend, reference = MlxBackend(WAYS_HERE), ReferenceBackend()
    require_same(backend, tensor)
    weight = backend.weight(tensor)
    assert isinstance(weight.handle.matrix, Blocks)
    assert isinstance(backend.table(tensor).handle.matrix, Codes)
    assert "own blocks" in backend.held_as(tensor)
    theirs = reference.linear(reference.weight(tensor))
    for rows in (0, 3, 20):
        x = mx.array(np.random.default_rng(rows).standard_normal((rows, 512), np.float32))
        assert near(backend.linear(weight)(x), theirs(x))


def test_blocks_of_every_type_are_there_where_codes_are_computed_wrong() -> None:
    usable = [kind for kind in KINDS if kind in ("blocks", 8)]
    backend, only_blocks = MlxBackend(WAYS_HERE, usable), MlxBackend(WAYS_HERE, ["blocks"])
    for type in NUMBERS:
        tensor = random_tensor(type, 40, 512, np.random.default_rng(0), 0.02)
        require_same(backend, tensor)
        require_same(only_blocks, tensor)
    tensor = random_tensor(TensorType.Q5_K, 40, 512, np.random.default_rng(0), 0.02)
    reference, x = ReferenceBackend(), mx.array(np.random.default_rng(1).standard_normal((2, 512), np.float32))
    weight = backend.weight(tensor)
    assert isinstance(weight.handle.matrix, Blocks)
    assert near(backend.linear(weight)(x), reference.linear(reference.weight(tensor))(x))


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_a_product_takes_any_number_of_rows(rows: int) -> None:
    tensor = random_tensor(TensorType.Q4_0, 40, 512, np.random.default_rng(0), 0.02)
    backend, reference = MlxBackend(WAYS_HERE), ReferenceBackend()
    x = mx.array(np.random.default_rng(1).standard_normal((rows, 512), np.float32))
    assert near(backend.linear(backend.weight(tensor))(x), reference.linear(reference.weight(tensor))(x))


@pytest.mark.parametrize("few_rows", [True, False])
def test_gates_come_behind_steps_of_single_tokens(few_rows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    heads, dims, features = 4, 64, 128
    spec, steps = AttentionSpec(heads, heads, dims, dims**-0.5), [[20, 3], [1, 1]]
    taken: list[int] = []
    step = StepAttention.__call__

    def counted(self: StepAttention, x: mx.array, *more: Any) -> Any:
        taken.append(x.shape[0])
        return step(self, x, *more)

    monkeypatch.setattr(StepAttention, "__call__", counted)
    outs = []
    for backend in (MlxBackend(replace(WAYS_HERE, few_rows=few_rows)), ReferenceBackend()):
        inputs = [backend.weight(check_inputs.matrix(seed, heads * dims, features)) for seed in range(4)]
        output = backend.weight(check_inputs.matrix(4, features, heads * dims))
        weights = AttentionWeights(*inputs[:3], output, gate=inputs[3], norm=mx.ones(features))
        half = backend.attention(weights, spec, 0)
        outs.append(check_inputs.steps_of(backend, half, attention_group(0, heads, dims), steps))
    assert near(*outs)
    assert taken == [2]

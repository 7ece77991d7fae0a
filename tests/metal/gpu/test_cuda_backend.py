"""The mlx backend with kernels of ours for CUDA, which the emulator runs, against plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal import affine
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.gpu import recurrence, rms_norm
from mlxr.metal.mlx import device, own_experts
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.checks import CHECKS
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.device_checks import holds
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, ExpertsSpec, GatedDeltaNetSpec, Mamba2Spec, ShortConvSpec
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import ExpertsWeights, MLPWeights, ShortConvWeights
from tests.metal.gpu import emulated_mlx

# Beside our kernels MLX's own run on the CPU, where they add 16-bit numbers up in 16 bits and can't be joined.
WAYS_HERE = replace(WAYS["cuda"], wide_sums=True, fused=False, masked_queries=True)
EMULATED = [name for name in CHECKS if name != "paged_decode"]
"""Which is written with more of CUDA than the emulator has."""


KERNELS = {
    "few_rows": "affine_matmul_few_rows",
    "experts": "experts_mixture",
    "recurrence": "recurrence_step_mamba2",
    "in_place": "write_pages",
    "tables": "tables_dense",
    "grouped_experts": "tables_dense",
    "step_attention": "attention_step",
    "dense_layers": "decoder_layer_layers",
    "attention_halves": "decoder_layer_layers",
}
"""What a check must run to tell anything."""


@pytest.fixture(autouse=True)
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of kernels that were made."""
    made: list[str] = []

    def make(*given: Any, **named: Any) -> Callable[..., list[mx.array]]:
        made.append(named["name"] if "name" in named else given[0])
        return emulated_mlx.cuda_kernel(*given, **named)

    emulated_mlx.forget_kernels()
    monkeypatch.setattr(device, "kind", lambda: "cuda")
    monkeypatch.setattr(device, "processors", lambda: 2)
    monkeypatch.setattr(mx.fast, "cuda_kernel", make)
    yield made
    emulated_mlx.forget_kernels()


@pytest.mark.parametrize("name", EMULATED)
def test_what_is_checked_at_load_is_right(name: str, ran: list[str]) -> None:
    assert holds(WAYS_HERE, name)
    assert any(made.startswith(KERNELS.get(name, "")) for made in ran) or name not in KERNELS


EXPERTS, USED, WIDTH, HIDDEN = 8, 3, 128, 64


def codes(seed: int, outputs: int, inputs: int) -> Tensor:
    rng = np.random.default_rng(seed)
    packed = rng.integers(0, 256, (outputs, inputs // 2), dtype=np.uint8)
    scales = np.full((outputs, inputs // 32), 0.03, np.float32)
    return affine.affine("w", (outputs, inputs), 4, 32, packed, scales, -7.5 * scales)


def floats(seed: int, outputs: int, inputs: int) -> Tensor:
    """Exact in 16 bits, so that no rounding picks other experts."""
    values = np.random.default_rng(seed).integers(-64, 64, (outputs, inputs)).astype(np.float32) / 256
    return Tensor("w", TensorType.F32, values.shape, values.view(np.uint8))


def vector(seed: int, size: int) -> mx.array:
    return mx.array(np.random.default_rng(seed).uniform(0.5, 1.5, size).astype(np.float32))


MIXTURES = {
    "biases": (
        ExpertsSpec(Activation.SWIGLU_OAI, EXPERTS, USED),
        {
            "router_bias": vector(1, EXPERTS),
            "gate_bias": vector(2, EXPERTS * HIDDEN),
            "up_bias": vector(3, EXPERTS * HIDDEN),
            "down_bias": vector(4, EXPERTS * WIDTH),
        },
    ),
    "sigmoids with a bias for the choice": (
        ExpertsSpec(Activation.SILU, EXPERTS, USED, sigmoid=True, scale=2.5),
        {"choice_bias": vector(5, EXPERTS) / 8},
    ),
    "shares that do not add up to 1, and are scaled": (
        ExpertsSpec(Activation.GELU_TANH, EXPERTS, USED, normalized=False),
        {"expert_scale": vector(6, EXPERTS), "output_scale": mx.array(0.5)},
    ),
    "groups": (ExpertsSpec(Activation.SILU, EXPERTS, USED, groups=4, used_groups=2), {}),
    "a norm behind": (ExpertsSpec(Activation.SILU, EXPERTS, USED), {"post_norm": vector(7, WIDTH)}),
}


ROUTED = ("biases", "sigmoids with a bias for the choice")
"""Those whose choice is made by a kernel, too."""


@pytest.mark.parametrize("shared", [False, True], ids=["", "shared"])
@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_of_every_kind_are_as_plain_arithmetic_has_them(name: str, shared: bool, ran: list[str]) -> None:
    spec, more = MIXTURES[name]
    outs = []
    for backend in (MlxBackend(WAYS_HERE), ReferenceBackend()):
        gate, up, down, own_gate, own_up, own_down = (
            backend.weight(codes(seed, *shape))
            for seed, shape in enumerate(
                [
                    (EXPERTS * HIDDEN, WIDTH),
                    (EXPERTS * HIDDEN, WIDTH),
                    (EXPERTS * WIDTH, HIDDEN),
                    (HIDDEN, WIDTH),
                    (HIDDEN, WIDTH),
                    (WIDTH, HIDDEN),
                ]
            )
        )
        router = backend.weight(floats(6, EXPERTS, WIDTH))
        common = MLPWeights(own_up, own_down, own_gate) if shared else None
        weights = ExpertsWeights(router, up, down, gate, norm=vector(8, WIDTH), shared=common, **more)
        half = backend.feed_forward(weights, spec)
        rows = [mx.array(np.random.default_rng(rows).standard_normal((rows, WIDTH), np.float32)) for rows in (1, 5)]
        outs.append(np.concatenate([np.array(half(x) - x) for x in rows]))
    ours, theirs = outs
    assert np.abs(ours - theirs).max() <= 5e-3 * np.abs(theirs).max()
    assert (name != "a norm behind") == any(made.startswith("experts_mixture") for made in ran)
    assert (name in ROUTED) == any(made.startswith("experts_router") for made in ran)


def plain_mixture(backend: MlxBackend | ReferenceBackend) -> Callable[[mx.array], mx.array]:
    gate, up, down = (
        backend.weight(codes(seed, EXPERTS * outputs, inputs))
        for seed, outputs, inputs in ((0, HIDDEN, WIDTH), (1, HIDDEN, WIDTH), (2, WIDTH, HIDDEN))
    )
    weights = ExpertsWeights(backend.weight(floats(6, EXPERTS, WIDTH)), up, down, gate, norm=vector(8, WIDTH))
    half: Callable[[mx.array], mx.array] = backend.feed_forward(weights, ExpertsSpec(Activation.SILU, EXPERTS, USED))
    return half


def test_rows_are_the_same_alone_and_beside_others() -> None:
    half = plain_mixture(MlxBackend(WAYS_HERE))
    x = mx.array(np.random.default_rng(3).standard_normal((20, WIDTH), np.float32))
    together = np.array(half(x))
    for begin, end in ((0, 1), (7, 8), (9, 18)):
        assert np.array_equal(np.array(half(x[begin:end])), together[begin:end])


def test_a_step_that_breaks_spoils_none_once_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mixture, which is told by what the one before gave that its kernels may count."""
    right, broken = own_experts._launching, [False]

    def launching(*given: Any) -> Callable[..., list[mx.array]]:
        launched = right(*given)

        def run(inputs: list[mx.array]) -> list[mx.array]:
            outs = launched(inputs=inputs)
            if not broken[0] or given[0] is not own_experts.experts.MIXTURE:
                return outs
            np.array(inputs[-1], copy=False)[:1] += 1  # as if a block had counted, and no other
            return [out + never_computed().astype(out.dtype) for out in outs]

        return run

    monkeypatch.setattr(own_experts, "_launching", launching)
    backend = MlxBackend(WAYS_HERE)
    half, x = plain_mixture(backend), mx.array(np.random.default_rng(3).standard_normal((2, WIDTH), np.float32))
    expected = np.array(plain_mixture(ReferenceBackend())(x))
    for breaks in (False, True, False):
        broken[0] = breaks
        out = half(x)
        if breaks:
            with pytest.raises(RuntimeError, match="GatherMM"):
                mx.eval(out)
            backend.forget_steps()
        else:
            assert np.abs(np.array(out) - expected).max() <= 5e-3 * np.abs(expected).max()


def never_computed() -> mx.array:
    """A number that MLX finds out it can't compute when it is to."""
    halves = mx.zeros((1, 1, 1), mx.float16)
    return mx.gather_mm(halves, halves, rhs_indices=mx.array([0]), stream=mx.cpu).reshape(())


@pytest.mark.parametrize("width", [64, 68])
def test_rows_that_are_no_whole_vectors_are_normed_to_their_ends(width: int, ran: list[str]) -> None:
    outs = []
    for backend in (MlxBackend(WAYS_HERE), ReferenceBackend()):
        weights = ShortConvWeights(
            input=backend.weight(floats(1, 3 * width, width)),
            output=backend.weight(floats(2, width, width)),
            convolution=vector(3, 3 * width),
            norm=vector(4, width),
        )
        spec = ShortConvSpec(width, 3)
        pool = backend.pool(PoolSpec.even([spec.cache(0)], 4, 16))
        mix = backend.short_conv(weights, spec, 0)
        x = mx.array(np.random.default_rng(5).standard_normal((2, width), np.float32))
        outs.append(np.array(mix(x, backend.on_device(sequences_that_begin(2)), pool) - x))
    ours, theirs = outs
    assert np.abs(ours - theirs).max() <= 5e-3 * np.abs(theirs).max()
    assert rms_norm.fits(width) == any(made.startswith("rms_norm") for made in ran)


def sequences_that_begin(count: int) -> Batch:
    """With a token each, and a state."""
    at = np.arange(count, dtype=np.int32)
    group = GroupTables(np.zeros(0, np.int32), at[:, None], 16)
    return Batch(np.arange(count + 1, dtype=np.int32), np.ones(count, np.int32), 0 * at, (group,))


def test_heads_that_a_block_has_no_registers_for_are_not_taken() -> None:
    """A block has 65,536. ptxas gives a thread of the largest heads that are taken 117 and 96, of the others here 72,
    132, 96 and 168."""
    delta, mamba = recurrence.fits_step_delta, recurrence.fits_step_mamba2
    assert delta(GatedDeltaNetSpec(1, 1, 256, 128, 4))
    assert mamba(Mamba2Spec(1, 128, 1, 256, 4))
    assert not delta(GatedDeltaNetSpec(1, 1, 128, 256, 4))
    assert not delta(GatedDeltaNetSpec(1, 1, 320, 128, 4))
    assert not mamba(Mamba2Spec(1, 256, 1, 256, 4))
    assert not mamba(Mamba2Spec(1, 128, 1, 512, 4))


def test_blocks_of_the_largest_heads_that_do_not_start_rule_recurrences_out(monkeypatch: pytest.MonkeyPatch) -> None:
    make = mx.fast.cuda_kernel

    def limited(*given: Any, **named: Any) -> Callable[..., list[mx.array]]:
        launched = make(*given, **named)

        def run(*given: Any, **named: Any) -> list[mx.array]:
            if named["threadgroup"][0] == recurrence.MOST_THREADS:
                raise RuntimeError("too many resources requested for launch")
            return launched(*given, **named)

        return run

    monkeypatch.setattr(mx.fast, "cuda_kernel", limited)
    assert not holds(WAYS_HERE, "recurrence")

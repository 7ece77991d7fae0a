"""Recurrent mixers: backends agree with the reference, however prompts are cut and beside others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import BESIDE, state_group
from mlxr.metal.operations import MixerOperation
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.kimi_delta import kimi_delta as plain_kimi_delta
from mlxr.metal.reference.mamba1 import mamba1 as plain_mamba1
from mlxr.metal.specs import GatedDeltaNetSpec, KimiDeltaSpec, Mamba1Spec, Mamba2Spec, ShortConvSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import (
    GatedDeltaNetWeights,
    KimiDeltaWeights,
    Mamba1Weights,
    Mamba2Weights,
    ShortConvWeights,
    Weight,
)
from tests.metal.backends import BACKENDS, IDS, slack
from tests.metal.tensors import float_tensor, normal, random_tensor

WIDTH, PAGES = 64, 6
REFERENCE = ReferenceBackend()

Values = NDArray[np.float32]


def weight(backend: Backend, seed: int, outputs: int, inputs: int, type: TensorType) -> Weight:
    if type is TensorType.F32:
        return backend.weight(float_tensor(normal(seed, outputs, inputs, scale=inputs**-0.5)))
    return backend.weight(random_tensor(type, outputs, inputs, np.random.default_rng(seed), 0.003))


def vector(seed: int, size: int, scale: float = 0.5) -> mx.array:
    return mx.array(normal(seed, size, scale=scale))


def short_conv(
    backend: Backend, taps: int = 3, dressed: bool = True, type: TensorType = TensorType.F32
) -> tuple[MixerOperation, int]:
    spec = ShortConvSpec(WIDTH, taps)
    weights = ShortConvWeights(
        input=weight(backend, 1, 3 * WIDTH, WIDTH, type),
        output=weight(backend, 2, WIDTH, WIDTH, type),
        convolution=vector(3, WIDTH * taps),
        norm=vector(4, WIDTH),
        input_bias=vector(5, 3 * WIDTH) if dressed else None,
        convolution_bias=vector(6, WIDTH) if dressed else None,
        output_bias=vector(7, WIDTH) if dressed else None,
        post_norm=vector(8, WIDTH) if dressed else None,
    )
    return backend.short_conv(weights, spec, 1), spec.cache(1).state_size or 0


def mamba2(
    backend: Backend,
    heads: int = 4,
    head_dim: int = 32,
    groups: int = 2,
    state_size: int = 16,
    dressed: bool = True,
    type: TensorType = TensorType.F32,
    layer: int = 1,
    beside: MixerOperation | None = None,
) -> tuple[MixerOperation, int]:
    spec = Mamba2Spec(heads, head_dim, groups, state_size, 4)
    if dressed:
        spec = replace(spec, step_limits=(0.05, 0.9), gate_scale=0.7, output_scale=1.3)
    inputs = spec.inner + spec.channels + heads
    weights = Mamba2Weights(
        input=weight(backend, 1, inputs, WIDTH, type),
        output=weight(backend, 2, WIDTH, spec.inner, type),
        convolution=vector(3, spec.channels * 4),
        decay=-mx.exp(vector(4, heads, 1.0)),
        skip=vector(5, heads),
        step_bias=vector(6, heads),
        norm=vector(7, WIDTH),
        gate_norm=vector(8, spec.inner) if dressed else None,
        input_bias=vector(9, inputs) if dressed else None,
        convolution_bias=vector(10, spec.channels) if dressed else None,
        output_bias=vector(11, WIDTH) if dressed else None,
    )
    return backend.mamba2(weights, spec, layer, beside), spec.cache(layer).state_size or 0


def gated_delta_net(
    backend: Backend,
    key_heads: int = 2,
    value_heads: int = 6,
    key_dim: int = 32,
    value_dim: int = 32,
    tiled: bool = False,
    types: tuple[TensorType, TensorType] = (TensorType.F32, TensorType.F32),
) -> tuple[MixerOperation, int]:
    """``types``: of the matrices of inputs and of the output; alpha and beta are floats."""
    spec = GatedDeltaNetSpec(key_heads, value_heads, key_dim, value_dim, 4, tiled=tiled)
    weights = GatedDeltaNetWeights(
        query_key_value=weight(backend, 1, spec.channels, WIDTH, types[0]),
        gate=weight(backend, 2, spec.values, WIDTH, types[0]),
        alpha=weight(backend, 3, value_heads, WIDTH, TensorType.F32),
        beta=weight(backend, 4, value_heads, WIDTH, TensorType.F32),
        output=weight(backend, 5, WIDTH, spec.values, types[1]),
        convolution=vector(6, spec.channels * 4, 2.0),
        decay=-mx.exp(vector(7, value_heads, 1.5)),
        alpha_bias=vector(8, value_heads) - 2,
        head_norm=vector(9, value_dim) + 1,
        norm=vector(10, WIDTH) + 2,
    )
    return backend.gated_delta_net(weights, spec, 1), spec.state_size


def mamba1(
    backend: Backend, inner: int = 48, dressed: bool = True, type: TensorType = TensorType.F32
) -> tuple[MixerOperation, int]:
    spec = Mamba1Spec(inner, 16, 4, 4, inner_eps=1e-6 if dressed else None)
    weights = Mamba1Weights(
        input=weight(backend, 1, 2 * inner, WIDTH, type),
        output=weight(backend, 2, WIDTH, inner, TensorType.F32),
        convolution=vector(3, inner * 4),
        parameters=weight(backend, 4, 36, inner, TensorType.F32),
        step=weight(backend, 5, inner, 4, TensorType.F32),
        step_bias=vector(6, inner),
        decay=-mx.exp(vector(7, inner * 16, 1.0)),
        skip=vector(8, inner),
        norm=vector(9, WIDTH),
        convolution_bias=vector(10, inner) if dressed else None,
        input_bias=vector(11, 2 * inner) if dressed else None,
        output_bias=vector(12, WIDTH) if dressed else None,
        step_norm=vector(13, 4) if dressed else None,
        write_norm=vector(14, 16) if dressed else None,
        read_norm=vector(15, 16) if dressed else None,
    )
    return backend.plain_recurrence(plain_mamba1(backend, weights, spec), 1), spec.cache(1).state_size or 0


def kimi_delta(backend: Backend, head_dim: int = 16, type: TensorType = TensorType.F32) -> tuple[MixerOperation, int]:
    spec = KimiDeltaSpec(3, head_dim, 4)
    query, key, value = (weight(backend, seed, spec.values, WIDTH, type) for seed in (1, 2, 3))
    weights = KimiDeltaWeights(
        query=query,
        key=key,
        value=value,
        alpha_down=weight(backend, 4, head_dim, WIDTH, TensorType.F32),
        alpha_up=weight(backend, 5, spec.values, head_dim, TensorType.F32),
        beta=weight(backend, 6, 3, WIDTH, TensorType.F32),
        gate_down=weight(backend, 7, head_dim, WIDTH, TensorType.F32),
        gate_up=weight(backend, 8, spec.values, head_dim, TensorType.F32),
        output=weight(backend, 9, WIDTH, spec.values, TensorType.F32),
        convolutions=(vector(10, spec.values * 4), vector(11, spec.values * 4), vector(12, spec.values * 4)),
        decay=-mx.exp(vector(13, 3)),
        alpha_bias=vector(14, spec.values),
        head_norm=vector(15, head_dim) + 1,
        norm=vector(16, WIDTH) + 2,
    )
    return backend.plain_recurrence(plain_kimi_delta(backend, weights, spec), 1), spec.cache(1).state_size or 0


Make = Callable[[Backend], tuple[MixerOperation, int]]
MIXERS: dict[str, Make] = {
    "short convolution": short_conv,
    "short convolution of four, plain": lambda own: short_conv(own, 4, dressed=False),
    "mamba2": mamba2,
    "mamba2 of one group, plain": lambda own: mamba2(own, groups=1, dressed=False),
    "mamba2 of odd sizes": lambda own: mamba2(own, heads=3, head_dim=21, groups=3, state_size=7),
    "mamba2 of long heads": lambda own: mamba2(own, heads=2, head_dim=80, groups=1, state_size=64),
    "gated delta rule": gated_delta_net,
    "gated delta rule, tiled": lambda own: gated_delta_net(own, tiled=True),
    "gated delta rule of odd sizes": lambda own: gated_delta_net(own, 1, 3, 21, 13),
    "gated delta rule of long heads": lambda own: gated_delta_net(own, 1, 2, 96, 136),
    "mamba": mamba1,
    "mamba of an odd size, plain": lambda own: mamba1(own, 37, dressed=False),
    "kimi's delta rule": kimi_delta,
    "kimi's delta rule of odd sizes": lambda own: kimi_delta(own, 13),
}
PACKED: dict[str, Make] = {
    "short convolution": lambda own: short_conv(own, type=TensorType.Q8_0),
    "mamba2": lambda own: mamba2(own, type=TensorType.Q4_1),
    "gated delta rule": lambda own: gated_delta_net(own, types=(TensorType.Q4_1, TensorType.Q8_0)),
    "mamba": lambda own: mamba1(own, type=TensorType.Q8_0),
    "kimi's delta rule": lambda own: kimi_delta(own, type=TensorType.Q4_1),
}
TEXTS = {owner: normal(20 + owner, 150, WIDTH) for owner in range(3)}
STEPS = [
    [(0, 0, 1)],
    [(0, 1, 2), (1, 0, 3)],
    [(2, 0, 1), (1, 3, 97), (0, 3, 70)],
    [(0, 73, 1), (1, 100, 1), (2, 1, 1)],
    [(0, 74, 70), (2, 2, 1)],
    [(1, 101, 1), (0, 144, 1), (2, 3, 2)],
    *[[(1, 102 + i, 1), (0, 145 + i, 1)] for i in range(5)],
]
"""Spans of the steps: (whose, first position, tokens)."""


@dataclass(slots=True)
class Layer:
    """One mixer with a pool of its own; ``pages``: where each sequence has its state."""

    backend: Backend
    mix: MixerOperation
    pool: Pool
    pages: dict[int, int]

    @classmethod
    def of(cls, backend: Backend, make: Make, pages: tuple[int, int, int] = (4, 0, 2)) -> Layer:
        mix, size = make(backend)
        return cls(backend, mix, backend.pool(PoolSpec.even([state_group(1, size)], PAGES, 16)), dict(enumerate(pages)))

    def batch(self, spans: list[tuple[int, int, int]]) -> Batch:
        positions = np.concatenate([np.arange(start, start + count) for _, start, count in spans])
        tables = np.array([[self.pages[owner]] for owner, _, _ in spans], np.int32)
        return Batch(
            np.cumsum([0, *(count for _, _, count in spans)]).astype(np.int32),
            np.array([start + count for _, start, count in spans], np.int32),
            positions.astype(np.int32),
            (GroupTables(np.zeros(0, np.int32), tables, 16),) * len(self.pool.spec.groups),
        )

    def read(self, spans: list[tuple[int, int, int]]) -> dict[int, Values]:
        rows = np.concatenate([TEXTS[owner][start : start + count] for owner, start, count in spans])
        out = self.mix(mx.array(rows), self.backend.on_device(self.batch(spans)), self.pool)
        mx.eval([out, *self.backend.barrier(self.pool)])
        ends = np.cumsum([count for _, _, count in spans])[:-1]
        return {owner: part for (owner, _, _), part in zip(spans, np.split(np.array(out), ends), strict=True)}

    def read_in_steps(self) -> Values:
        """Sequence 0, in the company of the others."""
        return np.concatenate([read[0] for spans in STEPS if 0 in (read := self.read(spans))])


def relative(out: Values, expected: Values, rows: Values) -> float:
    """The largest difference, relative to what the mixer adds to its input."""
    return float(np.abs(out - expected).max() / np.abs(expected - rows).max())


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("make", MIXERS.values(), ids=MIXERS)
def test_mixers_agree(backend: Backend, make: Make) -> None:
    ours, theirs = Layer.of(backend, make), Layer.of(REFERENCE, make)
    empty = ours.mix(mx.zeros((0, WIDTH)), backend.on_device(Batch(*_nothing())), ours.pool)
    assert empty.shape == (0, WIDTH)
    for spans in STEPS:
        out, expected = ours.read(spans), theirs.read(spans)
        for owner, start, count in spans:
            rows = TEXTS[owner][start : start + count]
            assert relative(out[owner], expected[owner], rows) < 2e-5 * slack(backend, 500)


@pytest.mark.parametrize("backend", [REFERENCE, *BACKENDS], ids=["reference", *IDS])
@pytest.mark.parametrize("make", MIXERS.values(), ids=MIXERS)
def test_a_prompt_reads_the_same_whole_and_in_chunks_and_beside_others(backend: Backend, make: Make) -> None:
    whole = Layer.of(backend, make).read([(0, 0, 150)])[0]
    cut = Layer.of(backend, make).read_in_steps()
    assert relative(cut, whole, TEXTS[0]) < 2e-5 * slack(backend, 500)
    if backend.name == "cpu":
        assert np.array_equal(cut, whole)


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("make", PACKED.values(), ids=PACKED)
def test_packed_matrices_read_the_same_in_chunks_too(backend: Backend, make: Make) -> None:
    whole = Layer.of(backend, make).read([(0, 0, 150)])[0]
    cut = Layer.of(backend, make).read_in_steps()
    assert relative(cut, whole, TEXTS[0]) < 2e-5 * slack(backend, 1000)
    if backend.name == "cpu":
        assert np.array_equal(cut, whole)


@pytest.mark.parametrize("backend", [REFERENCE, *BACKENDS], ids=["reference", *IDS])
def test_what_stands_beside_another_mixer_reads_what_that_reads(backend: Backend) -> None:
    alone, other = (Layer.of(backend, make) for make in (mamba2, short_conv))
    first, size = short_conv(backend)
    mix, own_size = mamba2(backend, layer=1 + BESIDE, beside=first)
    pool = PoolSpec.even([state_group(1, size), state_group(1 + BESIDE, own_size)], PAGES, 16)
    both = Layer(backend, mix, backend.pool(pool), alone.pages)
    for spans in STEPS[:4]:
        outs = [layer.read(spans) for layer in (both, alone, other)]
        for owner, start, count in spans:
            rows = TEXTS[owner][start : start + count]
            expected = outs[1][owner] + outs[2][owner] - rows
            assert relative(outs[0][owner], expected, rows) < 1e-5 * slack(backend, 500)


@pytest.mark.parametrize("backend", [REFERENCE, *BACKENDS], ids=["reference", *IDS])
@pytest.mark.parametrize("make", [short_conv, mamba2, gated_delta_net, mamba1, kimi_delta])
def test_a_page_s_last_owner_leaves_nothing_to_its_next(backend: Backend, make: Make) -> None:
    fresh = Layer.of(backend, make).read([(0, 0, 20)])[0]
    used = Layer.of(backend, make, (4, 4, 4))
    used.read([(1, 0, 90)])
    assert np.array_equal(used.read([(0, 0, 20)])[0], fresh)


@pytest.mark.parametrize("backend", [REFERENCE, *BACKENDS], ids=["reference", *IDS])
@pytest.mark.parametrize("make", [short_conv, mamba2, gated_delta_net, mamba1, kimi_delta])
def test_a_sequence_goes_on_from_a_copied_state(backend: Backend, make: Make) -> None:
    layer = Layer.of(backend, make)
    layer.read([(0, 0, 40)])
    backend.copy_pages(layer.pool, 0, [(4, 1)])
    first = layer.read([(0, 40, 9)])[0]
    layer.read([(0, 49, 5)])
    layer.pages[0] = 1
    assert np.array_equal(layer.read([(0, 40, 9)])[0], first)


def _nothing() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], tuple[GroupTables, ...]]:
    none = np.zeros(0, np.int32)
    return np.zeros(1, np.int32), none, none, (GroupTables(none, np.zeros((0, 1), np.int32), 16),)

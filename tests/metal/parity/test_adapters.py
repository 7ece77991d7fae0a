"""Low-rank adapters on every backend: they add what merged matrices would, to their own rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.adapters import ROLES, AdapterStack, AdapterUse, LowRank, Place, adaptable
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.operations import DeviceBatch
from mlxr.metal.pool import Pool
from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec, Rope, RopeStyle
from mlxr.metal.weights import AttentionWeights, MLPWeights
from tests.metal.backends import ALL, ALL_IDS, NATIVE, NATIVE_IDS, slack
from tests.metal.batches import pool_spec, ragged
from tests.metal.tensors import float_tensor, normal

WIDTH, HEADS, KV_HEADS, HEAD_DIM, HIDDEN, LAYERS = 64, 4, 2, 32, 104, 2
ROPE = Rope(RopeStyle.NEOX, tuple(10000.0 ** (-2 * i / HEAD_DIM) for i in range(HEAD_DIM // 2)))
SHAPES = {
    "query": (HEADS * HEAD_DIM, WIDTH),
    "key": (KV_HEADS * HEAD_DIM, WIDTH),
    "value": (KV_HEADS * HEAD_DIM, WIDTH),
    "output": (WIDTH, HEADS * HEAD_DIM),
    "gate": (HIDDEN, WIDTH),
    "up": (HIDDEN, WIDTH),
    "down": (WIDTH, HIDDEN),
}
Parts = dict[Place, LowRank]


def adapter_parts(seed: int, rank: int, roles: Sequence[str] = ROLES) -> Parts:
    rng = np.random.default_rng(seed)

    def part(role: str) -> LowRank:
        outputs, inputs = SHAPES[role]
        down = rng.standard_normal((rank, inputs)).astype(np.float32) / inputs**0.5
        return LowRank(down, (rng.standard_normal((outputs, rank)) / rank).astype(np.float32), rank**0.5)

    return {(layer, role): part(role) for layer in range(LAYERS) for role in roles}


def sixteen_bit(parts: Parts) -> Parts:
    """The same, as an adapter of bfloat16 numbers has them."""

    def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return (values.view(np.uint32) & 0xFFFF0000).view(np.float32)

    return {place: LowRank(rounded(part.down), rounded(part.up), part.scaling) for place, part in parts.items()}


def prepared(backend: Backend, parts: Parts) -> Any:
    return backend.adapter({place: backend.low_rank(part) for place, part in parts.items()})


class TinyModel:
    """Two layers of random floats; ``merged``: parts and their scales that are added to its matrices."""

    def __init__(self, backend: Backend, merged: Sequence[tuple[Parts, float]] = (), gated: bool = True) -> None:
        self.backend = backend

        def weight(layer: int, role: str) -> Any:
            outputs, inputs = SHAPES[role]
            matrix = normal(10 * layer + ROLES.index(role), outputs, inputs, scale=inputs**-0.5)
            for parts, scale in merged:
                if (part := parts.get((layer, role))) is not None:
                    matrix = matrix + scale * part.scaling * part.up @ part.down
            return backend.weight(float_tensor(matrix.astype(np.float32)))

        norm = mx.array(1 + normal(3, WIDTH, scale=0.1))
        spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, ROPE)
        self.weights: list[tuple[AttentionWeights, MLPWeights]] = []
        self.halves = []
        for layer in range(LAYERS):
            attention = AttentionWeights(*(weight(layer, role) for role in ROLES[:4]), norm)
            gate = weight(layer, "gate") if gated else None
            mlp = MLPWeights(weight(layer, "up"), weight(layer, "down"), gate, norm, norm)
            self.weights.append((attention, mlp))
            self.halves.append(
                (
                    backend.attention(attention, spec, layer),
                    backend.feed_forward(mlp, MLPSpec(Activation.SILU), layer),
                )
            )
        self.embed = backend.embedding(backend.weight(float_tensor(normal(99, 50, WIDTH))))
        self.compiled = backend.compiled(self.layers)

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self.embed(tokens)
        for attend, feed_forward in self.halves:
            x = feed_forward(attend(x, batch, pool), batch)
        return x

    def run(self, batch: Batch, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        pool = self.backend.pool(pool_spec(LAYERS, 40, 16, KV_HEADS, HEAD_DIM))
        out = self.compiled(mx.array(tokens), batch, pool)
        mx.eval(out, self.backend.barrier(pool))
        return np.array(out)


LENGTHS = [1, 5, 1, 19, 2, 1, 1]
TOKENS = np.random.default_rng(5).integers(0, 50, sum(LENGTHS)).astype(np.int32)


def spans() -> list[slice]:
    ends = np.cumsum(LENGTHS)
    return [slice(int(end - length), int(end)) for end, length in zip(ends, LENGTHS, strict=True)]


def step(adapters: Sequence[AdapterStack] = ()) -> Batch:
    return replace(ragged(LENGTHS, [0] * len(LENGTHS), 16, 40), adapters=tuple(adapters))


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("rank", [1, 16, 21, 64])
def test_each_sequence_has_its_own_adapters(backend: Backend, rank: int, gated: bool) -> None:
    first, second = sixteen_bit(adapter_parts(1, rank)), adapter_parts(2, 8, ("query", "value", "down"))
    one, two = prepared(backend, first), prepared(backend, second)
    choices: list[list[tuple[Parts, Any, float]]] = [
        [(first, one, 1.0)],
        [],
        [(second, two, -0.5)],
        [(first, one, 1.0), (second, two, 2.0)],
        [(first, one, 1.0)],
        [(second, two, 2.0), (first, one, 0.25)],
        [],
    ]
    stacks = [tuple(AdapterUse(adapter, scale) for _, adapter, scale in choice) for choice in choices]
    out = TinyModel(backend, gated=gated).run(step(stacks), TOKENS)
    for span, choice in zip(spans(), choices, strict=True):
        merged = TinyModel(backend, [(parts, scale) for parts, _, scale in choice], gated).run(step(), TOKENS)[span]
        error = np.abs(out[span] - merged).max() / np.abs(merged).max()
        # Keys, values and adapters are 16-bit floats but in the reference, and round otherwise for the merged model.
        assert error < (1e-5 if backend.name == "reference" else 1.2e-3 * slack(backend, 25))


@pytest.mark.parametrize("backend", NATIVE, ids=NATIVE_IDS)
def test_a_row_with_adapters_has_the_same_bits_alone_and_in_company(backend: Backend) -> None:
    one, two = prepared(backend, adapter_parts(1, 16)), prepared(backend, adapter_parts(2, 5))
    stack = AdapterUse(one, 1.0), AdapterUse(two, 0.5)
    model = TinyModel(backend)
    alone = model.run(step([() if index != 3 else stack for index in range(len(LENGTHS))]), TOKENS)
    others = [(AdapterUse(two, 1.0),), stack, stack, stack, (), stack, (AdapterUse(one, 3.0),)]
    company = model.run(step(others), TOKENS)
    bare = model.run(step(), TOKENS)
    for index, span in enumerate(spans()):
        if index == 3:
            assert np.array_equal(alone[span], company[span])
            assert not np.allclose(alone[span], bare[span], rtol=1e-2)
        else:
            assert np.array_equal(alone[span], bare[span])
    assert np.array_equal(company[spans()[4]], bare[spans()[4]])


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_an_adapter_may_change_between_steps_of_a_compiled_model(backend: Backend) -> None:
    one, two = prepared(backend, adapter_parts(1, 4)), prepared(backend, adapter_parts(2, 4))
    model = TinyModel(backend)
    stacks: list[list[AdapterStack]] = [[(AdapterUse(adapter, 1.0),)] * len(LENGTHS) for adapter in (one, two)]
    outs = [model.run(step(adapters), TOKENS) for adapters in (stacks[0], stacks[1], [], stacks[0])]
    assert np.array_equal(outs[0], outs[3])
    assert not np.allclose(outs[0], outs[1], rtol=1e-2)
    assert not np.allclose(outs[0], outs[2], rtol=1e-2)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_layer_says_which_of_its_matrices_adapters_can_be_for(backend: Backend) -> None:
    attention, mlp = TinyModel(backend).weights[1]
    places = {**adaptable(1, attention), **adaptable(1, mlp)}
    assert places == {(1, role): shape for role, shape in SHAPES.items()}
    assert adaptable(0, object()) == {}

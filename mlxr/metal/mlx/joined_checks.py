"""Checks of layers that one kernel computes together, against plain float32 arithmetic."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import mlx.core as mx

from mlxr.metal.cache import attention_group
from mlxr.metal.mlx.check_inputs import (
    FEATURES,
    HEAD_DIM,
    HEAD_SHAPES,
    HEADS,
    KV_HEADS,
    ROPE,
    Side,
    agree,
    exact_matrix,
    normal,
    of_bits,
    steps_of,
)
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.grid_memory import grid_memory
from mlxr.metal.operations import MixerOperation, PlainLayer, one_by_one
from mlxr.metal.pool import Pool
from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, MLPSpec
from mlxr.metal.weights import AttentionWeights, ExpertsWeights, MLPWeights


def dense_layers(ways: Ways) -> bool:
    """Two layers as one kernel, of codes of both numbers of bits and of floats: a sequence alone, and three."""
    cases = (4, [[300], [1]]), (8, [[20, 300, 3], [1, 1, 1], [1, 1, 1]]), (16, [[20], [1]])
    return all(_joined(ways, bits, steps, mixtures=False) for bits, steps in cases)


def attention_halves(ways: Ways) -> bool:
    """Two layers with mixtures. Codes of 8 bits would give those of plain arithmetic other shares by their rounding."""
    cases = (4, [[300], [1]]), (16, [[20, 300, 3], [1, 1, 1], [1, 1, 1]])
    return all(_joined(ways, bits, steps, mixtures=True) for bits, steps in cases)


def _joined(ways: Ways, bits: int, steps: list[list[int]], *, mixtures: bool) -> bool:
    """Blocks wait for each other: where they do so for ever, all is wrong."""
    grid = grid_memory()
    grid.forget(mild=True)
    try:
        return agree(ways, partial(_layers, bits, steps, mixtures)) and not grid.broken
    finally:
        grid.forget()


def _layers(bits: int, steps: list[list[int]], mixtures: bool, side: Side) -> mx.array:
    group = replace(attention_group(0, KV_HEADS, HEAD_DIM), layers=(0, 1))
    return steps_of(side, _two_layers(side, bits, mixtures), group, steps)


def _two_layers(side: Side, bits: int, mixtures: bool) -> MixerOperation:
    """A mixture is of all its experts, so that no rounding picks others."""
    count = 4 if mixtures else 1
    shapes = [(count * 320, FEATURES), (count * 320, FEATURES), (count * FEATURES, 320)]
    spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, ROPE)
    layers: list[PlainLayer] = []
    for number in range(2):
        query, key, value, output = (of_bits(side, seed, *shape, bits) for seed, shape in enumerate(HEAD_SHAPES))
        of_heads = AttentionWeights(query, key, value, output, norm=1 + mx.array(normal(4, FEATURES)) / 8)
        up, gate, down = (of_bits(side, seed, *shape, bits) for seed, shape in enumerate(shapes, 5))
        norm = 1 + mx.array(normal(8, FEATURES)) / 8
        if mixtures:
            router = side.weight(exact_matrix(9, count, FEATURES))
            of_experts = ExpertsSpec(Activation.SILU, count, count)
            half = side.feed_forward(ExpertsWeights(router, up, down, gate, norm=norm), of_experts)
        else:
            half = side.feed_forward(MLPWeights(up, down, gate, norm=norm), MLPSpec(Activation.SILU))
        layers.append((side.attention(of_heads, spec, number), half))
    joined = side.joined(layers) or partial(one_by_one, layers)

    def run(x: mx.array, step: Any, pool: Pool | None) -> mx.array:
        return list(joined(x, step, pool))[-1]

    return run

"""Gated MLPs and what keeps a state, several sequences in one step."""

from __future__ import annotations

import math

import numpy as np

from mlxr.metal.gpu import gated_mlp, recurrence
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec
from mlxr.metal.specs.feed_forward import Activation
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array

STARTS = [0, 3, 4, 9]
PAGES = np.array([4, 0, 2], np.int32)
"""Of three sequences, among five."""


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return Array.of(rng.standard_normal(shape, np.float32))


def gated_mlp_case(rows: int, width: int, activation: Activation, dtype: str) -> Case:
    x = Array.of(4 * np.random.default_rng(width).standard_normal((rows, 2 * width), np.float32))

    def expected() -> list[Values]:
        gate, up = values(x)[:, :width], values(x)[:, width:]
        erf = np.vectorize(math.erf)
        if activation is Activation.SWIGLU_OAI:
            gate, up = np.minimum(gate, 7), np.clip(up, -7, 7) + 1
        active = {
            Activation.SWIGLU_OAI: lambda: gate / (1 + np.exp(-1.702 * gate)),
            Activation.SILU: lambda: gate / (1 + np.exp(-gate)),
            Activation.GELU: lambda: gate * (1 + erf(gate / math.sqrt(2))) / 2,
            Activation.GELU_TANH: lambda: (
                gate * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3))) / 2
            ),
            Activation.RELU_SQUARED: lambda: np.maximum(gate, 0) ** 2,
        }[activation]()
        return [active * up]

    return Case(
        f"{gated_mlp.KERNEL.name} {rows}x{width} {activation} {dtype}",
        gated_mlp.KERNEL,
        gated_mlp.launch(rows, width, activation, dtype),
        [x],
        expected,
        (2 * ROUNDING[dtype],),
    )


def convolution_case(channels: int, taps: int, biased: bool) -> Case:
    rng = np.random.default_rng(channels)
    x, weights, bias = drawn(rng, STARTS[-1], channels), drawn(rng, channels, taps), drawn(rng, channels)
    states = drawn(rng, 5, (taps - 1) * channels + 7)

    def expected() -> list[Values]:
        outs, histories = [], []
        for sequence, page in enumerate(PAGES):
            history = values(states)[page, : (taps - 1) * channels].reshape(taps - 1, channels)
            seen = np.concatenate([history, values(x)[STARTS[sequence] : STARTS[sequence + 1]]])
            for row in range(len(seen) - taps + 1):
                total = (seen[row : row + taps] * values(weights).T).sum(0) + (values(bias) if biased else 0)
                outs.append(total / (1 + np.exp(-total)))
            histories.append(seen[len(seen) - taps + 1 :])
        return [np.array(outs), np.array(histories)]

    return Case(
        f"{recurrence.CONVOLUTION.name} {channels} of {taps}, bias {biased}",
        recurrence.CONVOLUTION,
        recurrence.convolution(STARTS[-1], len(PAGES), channels, taps, states.bits.shape[1], biased),
        [x, weights, bias, Array.of(np.array(STARTS, np.int32)), Array.of(PAGES), states],
        expected,
        (1e-5, 1e-6),
    )


def delta_case(spec: GatedDeltaNetSpec) -> Case:
    rng = np.random.default_rng(spec.key_dim)
    rows, heads = STARTS[-1], spec.value_heads
    mixed = drawn(rng, rows, spec.channels)
    decays, betas = (Array.of(rng.uniform(0.1, 1, (rows, heads)).astype(np.float32)) for _ in range(2))
    states, histories = drawn(rng, 5, spec.state_size), drawn(rng, len(PAGES), spec.history)

    def expected() -> list[Values]:
        kept, outs = values(states).copy(), np.zeros((rows, heads, spec.value_dim))
        for sequence, page in enumerate(PAGES):
            kept[page, : spec.history] = values(histories)[sequence]
            state = kept[page, spec.history :].reshape(heads, spec.key_dim, spec.value_dim)
            for row in range(STARTS[sequence], STARTS[sequence + 1]):
                query, key, value = np.split(values(mixed)[row], [spec.keys, 2 * spec.keys])
                for head in range(heads):
                    each = heads // spec.key_heads
                    by = head % spec.key_heads if spec.tiled else head // each
                    q, k = (part.reshape(spec.key_heads, -1)[by] for part in (query, key))
                    q, k = (part / np.sqrt((part**2).sum() + 1e-6) for part in (q, k))
                    state[head] *= values(decays)[row, head]
                    change = values(betas)[row, head] * (value.reshape(heads, -1)[head] - k @ state[head])
                    state[head] += np.outer(k, change)
                    outs[row, head] = q @ state[head] / math.sqrt(spec.key_dim)
        return [outs, kept]

    indices = [Array.of(np.array(STARTS, np.int32)), Array.of(PAGES)]
    return Case(
        f"{recurrence.DELTA.name} {spec.key_heads}/{heads} of {spec.key_dim}x{spec.value_dim}, tiled {spec.tiled}",
        recurrence.DELTA,
        recurrence.delta(rows, len(PAGES), spec),
        [mixed, decays, betas, *indices, states, histories],
        expected,
        (1e-5, 1e-5),
    )


def mamba2_case(spec: Mamba2Spec) -> Case:
    rng = np.random.default_rng(spec.state_size)
    rows, history = STARTS[-1], (spec.taps - 1) * spec.channels
    mixed, skip = drawn(rng, rows, spec.channels), drawn(rng, spec.heads)
    steps = Array.of(rng.uniform(0.01, 1, (rows, spec.heads)).astype(np.float32))
    decay = Array.of(-rng.uniform(0.1, 2, spec.heads).astype(np.float32))
    states = drawn(rng, 5, history + spec.inner * spec.state_size)
    histories = drawn(rng, len(PAGES), history)

    def expected() -> list[Values]:
        kept, outs = values(states).copy(), np.zeros((rows, spec.heads, spec.head_dim))
        for sequence, page in enumerate(PAGES):
            kept[page, :history] = values(histories)[sequence]
            state = kept[page, history:].reshape(spec.heads, spec.state_size, spec.head_dim)
            for row in range(STARTS[sequence], STARTS[sequence + 1]):
                x, b, c = np.split(values(mixed)[row], [spec.inner, spec.inner + spec.groups * spec.state_size])
                for head in range(spec.heads):
                    group, step = head // (spec.heads // spec.groups), values(steps)[row, head]
                    taken, value = b.reshape(spec.groups, -1)[group], x.reshape(spec.heads, -1)[head]
                    state[head] = np.exp(step * values(decay)[head]) * state[head] + np.outer(taken, step * value)
                    outs[row, head] = c.reshape(spec.groups, -1)[group] @ state[head] + values(skip)[head] * value
        return [outs, kept]

    indices = [Array.of(np.array(STARTS, np.int32)), Array.of(PAGES)]
    return Case(
        f"{recurrence.MAMBA2.name} {spec.heads} of {spec.state_size}x{spec.head_dim}",
        recurrence.MAMBA2,
        recurrence.mamba2(rows, len(PAGES), spec),
        [mixed, steps, decay, skip, *indices, states, histories],
        expected,
        (1e-5, 1e-5),
    )


def mixer_cases() -> list[Case]:
    return [
        gated_mlp_case(3, 100, Activation.SILU, "float16"),
        gated_mlp_case(2, 128, Activation.GELU, "float32"),
        gated_mlp_case(1, 65, Activation.GELU_TANH, "bfloat16"),
        gated_mlp_case(1, 64, Activation.RELU_SQUARED, "float16"),
        gated_mlp_case(2, 70, Activation.SWIGLU_OAI, "float32"),
        convolution_case(300, 4, True),
        convolution_case(64, 3, False),
        delta_case(GatedDeltaNetSpec(2, 4, 64, 10, 4)),
        delta_case(GatedDeltaNetSpec(2, 4, 40, 8, 2, tiled=True)),
        mamba2_case(Mamba2Spec(4, 6, 2, 48, 4)),
    ]

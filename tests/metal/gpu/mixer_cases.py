"""What keeps a state, several sequences in one step."""

from __future__ import annotations

import math

import numpy as np

from mlxr.metal.gpu import recurrence
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec
from tests.metal.gpu.case import Case, Values, values
from tests.metal.gpu.emulated import Array

STARTS = [0, 3, 4, 9]
SEQUENCES = len(STARTS) - 1


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return Array.of(rng.standard_normal(shape, np.float32))


def convolution_case(channels: int, taps: int, biased: bool) -> Case:
    rng = np.random.default_rng(channels)
    x, weights, bias = drawn(rng, STARTS[-1], channels), drawn(rng, channels, taps), drawn(rng, channels)
    states = drawn(rng, SEQUENCES, (taps - 1) * channels + 7)

    def expected() -> list[Values]:
        outs, histories = [], []
        for sequence in range(SEQUENCES):
            history = values(states)[sequence, : (taps - 1) * channels].reshape(taps - 1, channels)
            seen = np.concatenate([history, values(x)[STARTS[sequence] : STARTS[sequence + 1]]])
            for row in range(len(seen) - taps + 1):
                total = (seen[row : row + taps] * values(weights).T).sum(0) + (values(bias) if biased else 0)
                outs.append(total / (1 + np.exp(-total)))
            histories.append(seen[len(seen) - taps + 1 :])
        return [np.array(outs), np.array(histories)]

    return Case(
        f"{recurrence.CONVOLUTION.name} {channels} of {taps}, bias {biased}",
        recurrence.CONVOLUTION,
        recurrence.convolution(STARTS[-1], SEQUENCES, channels, taps, states.bits.shape[1], biased),
        [x, weights, bias, Array.of(np.array(STARTS, np.int32)), states],
        expected,
        (1e-5, 1e-6),
    )


def delta_case(spec: GatedDeltaNetSpec) -> Case:
    rng = np.random.default_rng(spec.key_dim)
    rows, heads = STARTS[-1], spec.value_heads
    mixed = drawn(rng, rows, spec.channels)
    decays, betas = (Array.of(rng.uniform(0.1, 1, (rows, heads)).astype(np.float32)) for _ in range(2))
    states, histories = drawn(rng, SEQUENCES, spec.state_size), drawn(rng, SEQUENCES, spec.history)

    def expected() -> list[Values]:
        kept, outs = values(states).copy(), np.zeros((rows, heads, spec.value_dim))
        for sequence in range(SEQUENCES):
            kept[sequence, : spec.history] = values(histories)[sequence]
            state = kept[sequence, spec.history :].reshape(heads, spec.key_dim, spec.value_dim)
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

    starts = Array.of(np.array(STARTS, np.int32))
    return Case(
        f"{recurrence.DELTA.name} {spec.key_heads}/{heads} of {spec.key_dim}x{spec.value_dim}, tiled {spec.tiled}",
        recurrence.DELTA,
        recurrence.delta(rows, SEQUENCES, spec),
        [mixed, decays, betas, starts, states, histories],
        expected,
        (1e-5, 1e-5),
    )


def mamba2_case(spec: Mamba2Spec) -> Case:
    rng = np.random.default_rng(spec.state_size)
    rows, history = STARTS[-1], (spec.taps - 1) * spec.channels
    mixed, skip = drawn(rng, rows, spec.channels), drawn(rng, spec.heads)
    steps = Array.of(rng.uniform(0.01, 1, (rows, spec.heads)).astype(np.float32))
    decay = Array.of(-rng.uniform(0.1, 2, spec.heads).astype(np.float32))
    states = drawn(rng, SEQUENCES, history + spec.inner * spec.state_size)
    histories = drawn(rng, SEQUENCES, history)

    def expected() -> list[Values]:
        kept, outs = values(states).copy(), np.zeros((rows, spec.heads, spec.head_dim))
        for sequence in range(SEQUENCES):
            kept[sequence, :history] = values(histories)[sequence]
            state = kept[sequence, history:].reshape(spec.heads, spec.state_size, spec.head_dim)
            for row in range(STARTS[sequence], STARTS[sequence + 1]):
                x, b, c = np.split(values(mixed)[row], [spec.inner, spec.inner + spec.groups * spec.state_size])
                for head in range(spec.heads):
                    group, step = head // (spec.heads // spec.groups), values(steps)[row, head]
                    taken, value = b.reshape(spec.groups, -1)[group], x.reshape(spec.heads, -1)[head]
                    state[head] = np.exp(step * values(decay)[head]) * state[head] + np.outer(taken, step * value)
                    outs[row, head] = c.reshape(spec.groups, -1)[group] @ state[head] + values(skip)[head] * value
        return [outs, kept]

    starts = Array.of(np.array(STARTS, np.int32))
    return Case(
        f"{recurrence.MAMBA2.name} {spec.heads} of {spec.state_size}x{spec.head_dim}",
        recurrence.MAMBA2,
        recurrence.mamba2(rows, SEQUENCES, spec),
        [mixed, steps, decay, skip, starts, states, histories],
        expected,
        (1e-5, 1e-5),
    )


def mixer_cases() -> list[Case]:
    return [
        convolution_case(300, 4, True),
        convolution_case(64, 3, False),
        delta_case(GatedDeltaNetSpec(2, 4, 64, 10, 4)),
        delta_case(GatedDeltaNetSpec(2, 4, 40, 8, 2, tiled=True)),
        mamba2_case(Mamba2Spec(4, 6, 2, 48, 4)),
    ]

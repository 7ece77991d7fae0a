"""Steps in place of the states, on CUDA: sequences that begin, that go on, and that keep nothing."""

from __future__ import annotations

import math

import numpy as np

from mlxr.metal.gpu import recurrence
from mlxr.metal.gpu.kernel import Language
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array

LAYOUT = np.array([[0, 3, 2, 2], [3, 4, -1, 4], [4, 9, 1, -1]], np.int32)
"""Rows of each sequence, and where its state is read and written."""
ROWS, PAGES = 9, 5
BEFORE = Array.of(np.zeros(1, np.int32))


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return Array.of(rng.standard_normal(shape, np.float32))


def convolution_case(channels: int, taps: int, at: int, biased: bool) -> Case:
    rng = np.random.default_rng(channels)
    x = Array.of(rng.standard_normal((ROWS, at + channels + 8)), "float16")
    weights, bias, states = drawn(rng, channels, taps), drawn(rng, channels), drawn(rng, PAGES, taps * channels)
    kept = (taps - 1) * channels

    def expected() -> list[Values]:
        after, outs = values(states).copy(), []
        for first, end, read, written in LAYOUT:
            history = values(states)[read, :kept].reshape(taps - 1, channels) * (read >= 0)
            seen = np.concatenate([history, values(x)[first:end, at : at + channels]])
            for row in range(end - first):
                total = (seen[row : row + taps] * values(weights).T).sum(0) + (values(bias) if biased else 0)
                outs.append(total / (1 + np.exp(-total)))
            if written >= 0:
                after[written, :kept] = seen[end - first :].reshape(-1)
        return [np.array(outs), after]

    return Case(
        f"{recurrence.STEP_CONVOLUTION.name} {channels} of {taps}, bias {biased}",
        recurrence.STEP_CONVOLUTION,
        recurrence.step_convolution(ROWS, len(LAYOUT), x.bits.shape[1], at, channels, taps, biased),
        [x, weights, bias, Array.of(LAYOUT), states, BEFORE],
        expected,
        (1e-5, 1e-6),
        language=Language.CUDA,
    )


def delta_case(spec: GatedDeltaNetSpec, apart: bool) -> Case:
    """``apart``: gates and rates are arrays of their own."""
    rng = np.random.default_rng(spec.key_dim)
    heads, values_at = spec.value_heads, spec.channels + spec.values
    mixed = drawn(rng, ROWS, spec.channels)
    projected = Array.of(rng.standard_normal((ROWS, values_at + 2 * heads)), "float16")
    rate, shift, norm = -rng.uniform(0.1, 2, heads), rng.standard_normal(heads), rng.uniform(0.5, 1.5, spec.value_dim)
    rate, shift, norm = (part.astype(np.float32).astype(np.float64) for part in (rate, shift, norm))
    states = drawn(rng, PAGES, spec.state_size)
    constants = np.concatenate([[spec.norm_eps, 0, 0, 0], norm, rate, shift])
    width = values_at + 2 * heads
    given, places = [projected, projected], [(width, spec.channels), (width, values_at)]
    if apart:
        columns = slice(spec.channels, values_at), slice(values_at, width)
        given = [Array.of(values(projected)[:, own], "float16") for own in columns]
        places = [(spec.values, 0), (2 * heads, 0)]

    def expected() -> list[Values]:
        after, outs = values(states).copy(), np.zeros((ROWS, heads, spec.value_dim))
        gates = values(projected)[:, spec.channels : values_at].reshape(outs.shape)
        alphas, betas = values(projected)[:, values_at : values_at + heads], values(projected)[:, values_at + heads :]
        decays, betas = np.exp(rate * np.log1p(np.exp(alphas + shift))), 1 / (1 + np.exp(-betas))
        for first, end, read, written in LAYOUT:
            state = values(states)[read, spec.history :].reshape(heads, spec.key_dim, spec.value_dim) * (read >= 0)
            for row in range(first, end):
                query, key, value = np.split(values(mixed)[row], [spec.keys, 2 * spec.keys])
                for head in range(heads):
                    by = head % spec.key_heads if spec.tiled else head // (heads // spec.key_heads)
                    q, k = (part.reshape(spec.key_heads, -1)[by] for part in (query, key))
                    q, k = (part / np.sqrt((part**2).sum() + 1e-6) for part in (q, k))
                    state[head] *= decays[row, head]
                    change = betas[row, head] * (value.reshape(heads, -1)[head] - k @ state[head])
                    state[head] += np.outer(k, change)
                    out = q @ state[head] / math.sqrt(spec.key_dim)
                    outs[row, head] = out / np.sqrt((out**2).mean() + spec.norm_eps) * norm
            if written >= 0:
                after[written, spec.history :] = state.reshape(-1)
        outs *= gates / (1 + np.exp(-gates))
        return [outs.reshape(ROWS, -1), np.ones(1), after]

    return Case(
        f"{recurrence.STEP_DELTA.name} {spec.key_heads}/{heads} of {spec.key_dim}x{spec.value_dim}, tiled {spec.tiled}",
        recurrence.STEP_DELTA,
        recurrence.step_delta(ROWS, len(LAYOUT), spec, *places),
        [mixed, *given, Array.of(constants, "float32"), Array.of(LAYOUT), states, BEFORE],
        expected,
        (ROUNDING["float16"], 0.0, 1e-5),
        seen=lambda outs: [outs[0], Array.of(outs[1].numpy()[:1] + 1), outs[2]],
        language=Language.CUDA,
    )


def mamba2_case(spec: Mamba2Spec) -> Case:
    rng = np.random.default_rng(spec.state_size)
    history = (spec.taps - 1) * spec.channels
    mixed, skip = drawn(rng, ROWS, spec.channels), drawn(rng, spec.heads)
    steps = Array.of(rng.uniform(0.01, 1, (ROWS, spec.heads)).astype(np.float32))
    decay = Array.of(-rng.uniform(0.1, 2, spec.heads).astype(np.float32))
    states = drawn(rng, PAGES, history + spec.inner * spec.state_size)

    def expected() -> list[Values]:
        after, outs = values(states).copy(), np.zeros((ROWS, spec.heads, spec.head_dim))
        for first, end, read, written in LAYOUT:
            state = values(states)[read, history:].reshape(spec.heads, spec.state_size, spec.head_dim) * (read >= 0)
            for row in range(first, end):
                x, b, c = np.split(values(mixed)[row], [spec.inner, spec.inner + spec.groups * spec.state_size])
                for head in range(spec.heads):
                    group, step = head // (spec.heads // spec.groups), values(steps)[row, head]
                    taken, value = b.reshape(spec.groups, -1)[group], x.reshape(spec.heads, -1)[head]
                    state[head] = np.exp(step * values(decay)[head]) * state[head] + np.outer(taken, step * value)
                    outs[row, head] = c.reshape(spec.groups, -1)[group] @ state[head] + values(skip)[head] * value
            if written >= 0:
                after[written, history:] = state.reshape(-1)
        return [outs, np.ones(1), after]

    return Case(
        f"{recurrence.STEP_MAMBA2.name} {spec.heads} of {spec.state_size}x{spec.head_dim}",
        recurrence.STEP_MAMBA2,
        recurrence.step_mamba2(ROWS, len(LAYOUT), spec),
        [mixed, steps, decay, skip, Array.of(LAYOUT), states, BEFORE],
        expected,
        (1e-5, 0.0, 1e-5),
        seen=lambda outs: [outs[0], Array.of(outs[1].numpy()[:1] + 1), outs[2]],
        language=Language.CUDA,
    )


def recurrence_step_cases() -> list[Case]:
    return [
        convolution_case(300, 4, 16, True),
        convolution_case(64, 3, 0, False),
        delta_case(GatedDeltaNetSpec(2, 4, 64, 32, 4), apart=True),
        delta_case(GatedDeltaNetSpec(2, 4, 40, 64, 2, tiled=True), apart=False),
        mamba2_case(Mamba2Spec(4, 8, 2, 48, 4)),
    ]

"""Launches of the kernels for CUDA that look rows up, take matrices apart, find best tokens and copy."""

from __future__ import annotations

import numpy as np

from mlxr.metal.gpu import sampling, staging, tables
from mlxr.metal.gpu.kernel import Language
from tests.metal.gpu.case import Case, Values, values
from tests.metal.gpu.emulated import Array

CUDA = Language.CUDA


def table_cases() -> list[Case]:
    return [
        *(lookup_case(bits) for bits in (4, 8, 16)),
        *(dense_case(bits) for bits in tables.BITS),
        best_case(),
        copy_case(),
    ]


def matrix(entries: int, columns: int, bits: int, group: int) -> tuple[list[Array], Values]:
    """As a kernel takes it, and its values."""
    rng = np.random.default_rng(bits)
    if bits == 16:
        floats = Array.of(rng.standard_normal((entries, columns)), "float16")
        return [floats] * 3, values(floats)
    codes = rng.integers(0, 1 << bits, (entries, columns))
    words = codes.reshape(entries, -1, 32 // bits).astype(np.uint32) << (np.arange(32 // bits) * bits).astype(np.uint32)
    scales, biases = (Array.of(rng.standard_normal((entries, columns // group)), "float16") for _ in range(2))
    scale, bias = (np.repeat(values(part), group, axis=1) for part in (scales, biases))
    packed = np.bitwise_or.reduce(words, axis=2)
    return [Array(packed, "uint32"), scales, biases], codes * scale + bias


def lookup_case(bits: int) -> Case:
    entries, columns, group = 5, 320, 64
    arrays, dense = matrix(entries, columns, bits, group)
    tokens = np.array([4, -1, 0, entries], np.int32)
    expected = np.where((tokens >= 0)[:, None] & (tokens < entries)[:, None], dense[tokens % entries], 0.0)
    launch = tables.lookup(len(tokens), entries, columns, bits, group)
    inputs = [Array(tokens, "int32"), *arrays]
    return Case(f"lookup {bits}", tables.LOOKUP, launch, inputs, lambda: [expected], (1e-6,), language=CUDA)


def dense_case(bits: int) -> Case:
    arrays, dense = matrix(19, 320, bits, 32)
    launch = tables.dense(19, 320, bits, 32)
    return Case(f"dense {bits}", tables.DENSE, launch, arrays, lambda: [dense], (2.0**-10,), language=CUDA)


def best_case() -> Case:
    logits = np.random.default_rng(0).standard_normal((6, 3000)).astype(np.float32)
    logits[1, [2999, 70, 1200]] = 9.0
    logits[2, 2], logits[3], logits[4, 5] = np.nan, -np.inf, np.inf
    best = np.array([logits[0].argmax(), 70, -1, -1, -1, logits[5].argmax()], np.float64)
    inputs = [Array(logits, "float32")]
    return Case("best", sampling.BEST, sampling.best(6, 3000), inputs, lambda: [best], (0.0,), language=CUDA)


def copy_case() -> Case:
    given = np.random.default_rng(0).integers(-9, 9, (3, 130)).astype(np.int32)

    def written(outs: list[Array]) -> list[Array]:
        return [Array(outs[0].bits[:3], "int32"), *outs[1:]]

    launch = staging.copy(3, 130, 7)
    expected = given.astype(np.float64)
    return Case(
        "copy", staging.COPY, launch, [Array(given.reshape(-1), "int32")], lambda: [expected], (0.0,), written, CUDA
    )

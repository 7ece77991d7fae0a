"""Every kernel with inputs of awkward sizes and what must come out, for tests, mutations and the table of limits."""

from __future__ import annotations

import numpy as np

from mlxr.metal.codebooks import codebook
from mlxr.metal.gpu import matmul
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from tests.metal.gpu.affine_cases import few_rows_cases
from tests.metal.gpu.attention_cases import attention_cases
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array
from tests.metal.gpu.mixer_cases import mixer_cases
from tests.metal.gpu.sampling_cases import sampling_cases
from tests.metal.gpu.step_cases import step_cases
from tests.metal.tensors import random_tensor


def weight_of(number: int, outputs: int, columns: int) -> tuple[list[Array], Values]:
    """Returns a random matrix as kernels take it, blocks and a codebook's values, and its weights."""
    rng = np.random.default_rng(number)
    if number == matmul.CODEBOOK:
        tensor = random_tensor(TensorType.IQ2_S, outputs, columns, rng, 0.02)
        book = codebook(tensor)
        blocks = np.ascontiguousarray(book.blocks).view(np.uint8).reshape(outputs, -1)
        parts = [Array.of(blocks), Array.of(book.values.view(np.uint8))]
    else:
        type = next(type for type, known in matmul.NUMBERS.items() if known == number)
        tensor = random_tensor(type, outputs, columns, rng, 0.02)
        parts = [Array.of(tensor.data.reshape(outputs, -1)), Array.of(np.zeros(16, np.uint8))]
    return parts, dequantize(tensor).astype(np.float64)


def rows_of(rows: int, columns: int) -> Array:
    return Array.of(np.random.default_rng(rows).standard_normal((rows, columns), np.float32))


def matmul_case(rows: int, outputs: int, columns: int, number: int) -> Case:
    few = rows <= matmul.MOST_VECTOR_ROWS
    kernel, launch = (matmul.VECTOR, matmul.vector) if few else (matmul.TILED, matmul.tiled)
    parts, weights = weight_of(number, outputs, columns)
    x = rows_of(rows, columns)
    return Case(
        f"{kernel.name} {rows}x{columns}x{outputs} of type {number}",
        kernel,
        launch(rows, outputs, columns, number),
        [x, *parts],
        lambda: [values(x) @ weights.T],
        (1e-5,),
    )


def grouped_case(counts: list[int], outputs: int, columns: int, number: int) -> Case:
    """``counts``: rows of each expert."""
    experts, rows = len(counts), sum(counts)
    parts, weights = weight_of(number, experts * outputs, columns)
    x, starts = rows_of(rows, columns), np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def expected() -> list[Values]:
        own = np.repeat(np.arange(experts), counts)
        return [np.einsum("mk,mnk->mn", values(x), weights.reshape(experts, outputs, columns)[own])]

    return Case(
        f"{matmul.GROUPED.name} {counts}x{columns}x{outputs} of type {number}",
        matmul.GROUPED,
        matmul.grouped(rows, experts, outputs, columns, number),
        [x, *parts, Array.of(starts)],
        expected,
        (1e-5,),
    )


def chosen_case(chosen: list[int], sharing: int, outputs: int, columns: int, number: int, dtype: str) -> Case:
    """``chosen``: of each row its expert; ``sharing``: how many have one row of x."""
    experts = max(chosen) + 1
    parts, weights = weight_of(number, experts * outputs, columns)
    x = Array.of(rows_of(len(chosen) // sharing, columns).bits, dtype)

    def expected() -> list[Values]:
        each = np.repeat(values(x), sharing, axis=0)
        return [np.einsum("mk,mnk->mn", each, weights.reshape(experts, outputs, columns)[chosen])]

    return Case(
        f"{matmul.CHOSEN.name} {chosen}x{columns}x{outputs} of type {number}",
        matmul.CHOSEN,
        matmul.chosen(len(chosen), sharing, outputs, columns, number, dtype),
        [x, *parts, Array.of(np.array(chosen, np.int32))],
        expected,
        (1e-5 if dtype == "float32" else ROUNDING[dtype],),
    )


def matmul_cases() -> list[Case]:
    """Every type's decoder, all kinds of kernels, and awkward sizes with a few types."""
    q4_k, q6_k, q8_0 = (matmul.NUMBERS[type] for type in (TensorType.Q4_K, TensorType.Q6_K, TensorType.Q8_0))
    every = [*matmul.NUMBERS.values(), matmul.CODEBOOK]
    found = [matmul_case(1, 21, 512, number) for number in every]
    found += [matmul_case(9, 21, 512, number) for number in (q4_k, q6_k, matmul.CODEBOOK)]
    found += [matmul_case(rows, 17, 1280, q4_k) for rows in (2, 8)]
    found += [matmul_case(3, 1, 96, q8_0), matmul_case(33, 40, 96, q8_0), matmul_case(32, 32, 256, q6_k)]
    found += [
        chosen_case([2, 0, 2, 1], 2, 21, 512, q4_k, "float16"),
        chosen_case([1, 3, 0], 1, 18, 1280, q6_k, "float32"),
    ]
    return [*found, grouped_case([3, 0, 33, 1], 33, 256, q4_k), grouped_case([0, 0, 5], 7, 96, q8_0)]


def cases() -> list[Case]:
    return [
        *few_rows_cases(),
        *step_cases(),
        *matmul_cases(),
        *attention_cases(),
        *mixer_cases(),
        *sampling_cases(),
    ]

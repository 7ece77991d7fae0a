"""A row's result is the same, to the bit, whatever rows are beside it, within a kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlxr.metal.gpu import matmul
from mlxr.metal.gpu.affine_matmul import Epilogue, Shape, on_metal
from mlxr.metal.tensors import TensorType
from tests.metal.gpu import launching
from tests.metal.gpu.affine_cases import few_rows_case
from tests.metal.gpu.cases import rows_of, weight_of
from tests.metal.gpu.emulated import Array
from tests.metal.gpu.step_cases import step_cases

OUTPUTS, COLUMNS = 21, 512


@pytest.mark.parametrize(("few", "many"), [(1, 2), (1, 8), (9, 33), (9, 64)])
def test_a_row_gives_the_same_in_any_company(few: int, many: int) -> None:
    number = matmul.NUMBERS[TensorType.Q4_K]
    parts, _ = weight_of(number, OUTPUTS, COLUMNS)
    x = rows_of(many, COLUMNS).bits
    vector = many <= matmul.MOST_VECTOR_ROWS
    kernel, launch = (matmul.VECTOR, matmul.vector) if vector else (matmul.TILED, matmul.tiled)

    def products(of: np.ndarray) -> np.ndarray:
        launched = launch(len(of), OUTPUTS, COLUMNS, number)
        return launching.run(kernel, launched, [Array.of(of), *parts])[0].bits

    # The last rows, which have other places alone than in company.
    np.testing.assert_array_equal(products(x[-few:]), products(x)[-few:])


def test_a_row_of_a_layer_s_products_is_the_same_in_any_company() -> None:
    shape = Shape(16, 2176, 4, 32)
    case = few_rows_case(8, shape, Epilogue.GATED, normed=True)
    outs = []
    for rows in (8, 3, 1):
        launch = on_metal.launch(rows, shape, Epilogue.GATED, normed=True)
        x = Array(case.inputs[0].bits[-rows:], "float32")
        outs.append(launching.run(case.kernel, launch, [x, *case.inputs[1:]])[0].bits[-1])
    np.testing.assert_array_equal(outs[0], outs[1])
    np.testing.assert_array_equal(outs[0], outs[2])


def test_a_sequence_s_attention_is_the_same_in_any_company() -> None:
    case = next(case for case in step_cases() if "ragged" in case.name)
    names, launch = case.kernel.inputs, case.launch
    whole = launching.run(case.kernel, launch, case.inputs)[0].bits
    of_rows = {"queries", "new_keys", "new_values", "layout"}
    alone = [
        Array(array.bits[2:3], array.dtype) if name in of_rows else array
        for name, array in zip(names, case.inputs, strict=True)
    ]
    (out, (scratch, width), done), count = launch.shapes, len(whole)
    shapes = ((1, out[1]), (scratch // count, width), done)
    single = replace(launch, grid=(*launch.grid[:2], 1), shapes=shapes)
    np.testing.assert_array_equal(launching.run(case.kernel, single, alone)[0].bits[0], whole[2])

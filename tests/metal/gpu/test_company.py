"""A row's result is the same, to the bit, whatever rows are beside it, within a kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlxr.metal.gpu import affine_matmul, matmul, rms_norm
from mlxr.metal.gpu.affine_matmul import Epilogue, Shape, on_metal
from mlxr.metal.gpu.kernel import Language
from mlxr.metal.tensors import TensorType
from tests.metal.gpu import emulated, launching
from tests.metal.gpu.affine_cases import EPS, few_rows_case
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


@pytest.mark.parametrize("bits", [4, 16])
def test_a_row_of_a_product_is_the_same_with_any_number_of_others_on_cuda(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affine_matmul, "WIDE", 512)
    shape = Shape(512, 1216, bits, 32)  # many outputs of many columns, so that warps have two shares from 17 rows on
    case = few_rows_case(17, shape, language=Language.CUDA)
    outs = []
    for rows in (17, 8, 1):
        x = Array(case.inputs[0].bits[-rows:], "float16")
        launch = affine_matmul.launch(rows, shape)
        (out,) = emulated.run(case.kernel, launch, [x, *case.inputs[1:]], language=Language.CUDA)
        outs.append(out.bits[-1])
    np.testing.assert_array_equal(outs[0], outs[1])
    np.testing.assert_array_equal(outs[0], outs[2])


def test_a_norm_is_the_same_in_the_product_of_one_row_and_in_a_kernel_of_its_own() -> None:
    shape, rng = Shape(16, 2176, 16, 32), np.random.default_rng(0)
    case = few_rows_case(1, shape, normed=True, language=Language.CUDA)
    x, *matrix, constants, added = case.inputs
    rows = np.concatenate([x.bits, rng.standard_normal((2, shape.columns), np.float32)])
    of_norm = Array(np.concatenate([[EPS, 0, 0, 0], constants.bits[4:]]).astype(np.float32), "float32")
    (normed,) = emulated.run(
        rms_norm.KERNEL, rms_norm.launch(3, shape.columns), [Array(rows, "float32"), of_norm], language=Language.CUDA
    )
    plain = affine_matmul.launch(1, shape)
    normless = Array(constants.bits[:4], "float32")
    first = Array(normed.bits[:1], "float16")
    own, apart = (
        emulated.run(case.kernel, launch, inputs, language=Language.CUDA)[0].bits
        for launch, inputs in ((case.launch, case.inputs), (plain, [first, *matrix, normless, added]))
    )
    np.testing.assert_array_equal(own, apart)


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

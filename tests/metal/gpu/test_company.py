"""A row's product is the same, to the bit, whatever rows are beside it, within a kernel."""

from __future__ import annotations

import numpy as np
import pytest

from mlxr.metal.gpu import matmul
from mlxr.metal.tensors import TensorType
from tests.metal.gpu import launching
from tests.metal.gpu.cases import rows_of, weight_of
from tests.metal.gpu.emulated import Array

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

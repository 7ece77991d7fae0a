"""An encoder's float matrices, which a backend may keep as 16-bit codes: near enough, and the same in every company."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.weights import Weight
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.metal.tensors import float_tensor

pytestmark = pytest.mark.parametrize("backend", NATIVE, ids=NATIVE_IDS)


def matrix(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32)


def encoding(backend: Backend, values: NDArray[np.float32]) -> Weight:
    return backend.weight(float_tensor(values), encoder=True)


def product(backend: Backend, x: NDArray[np.float32], weight: Weight) -> NDArray[np.float32]:
    return np.array(backend.linear(weight)(mx.array(x)))


@pytest.mark.parametrize(("features", "columns"), [(1, 2), (16, 128), (37, 130), (48, 41), (70, 384)])
@pytest.mark.parametrize("rows", [1, 2, 7, 61])
def test_products_are_floats_products_but_for_some_ten_thousandths(
    backend: Backend, features: int, columns: int, rows: int
) -> None:
    weights, x = matrix(features, columns), matrix(rows, columns) * 3
    exact = x.astype(np.float64) @ weights.T.astype(np.float64)
    error = product(backend, x, encoding(backend, weights)) - exact
    assert np.sqrt(np.mean(error**2)) <= 6e-4 * np.sqrt(columns) * 3


def test_a_row_is_the_same_alone_and_in_company(backend: Backend) -> None:
    weight, x = encoding(backend, matrix(70, 384)), matrix(67, 384)
    together = product(backend, x, weight)
    for first, last in ((0, 1), (66, 67), (3, 9), (5, 20), (1, 64)):
        assert np.array_equal(product(backend, x[first:last], weight), together[first:last])


def test_the_largest_numbers_do_not_overflow(backend: Backend) -> None:
    ones = np.ones((16, 256), np.float32)
    assert np.allclose(product(backend, -ones[:3], encoding(backend, ones)), -256, rtol=1e-3)


def test_what_is_not_finite_spoils_its_own_row_alone(backend: Backend) -> None:
    weight, x = encoding(backend, matrix(20, 256)), matrix(9, 256)
    before = product(backend, x, weight)
    x[4, 200], x[7, 3] = np.nan, np.inf
    after = product(backend, x, weight)
    assert np.isnan(after[4]).all()
    assert not np.isfinite(after[7]).any()
    assert np.array_equal(np.delete(after, [4, 7], 0), np.delete(before, [4, 7], 0))


def test_nothing_comes_of_nothing(backend: Backend) -> None:
    weight = encoding(backend, np.zeros((5, 64), np.float32))
    assert not product(backend, matrix(3, 64), weight).any()
    assert not product(backend, np.zeros((3, 64), np.float32), encoding(backend, matrix(5, 64))).any()


def test_a_table_of_codes_is_looked_up_as_it_was_stored(backend: Backend) -> None:
    values = matrix(37, 64)
    found = np.array(backend.embedding(encoding(backend, values))(mx.array([0, 36, 20])))
    assert np.abs(found - values[[0, 36, 20]]).max() < np.abs(values).max() / 4095

"""Rows that are looked up."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.mlx.tables import EveryRow


def test_an_index_of_all_rows_in_their_order_is_told_from_others() -> None:
    every = EveryRow()
    ordered = mx.array([0, 1, 2])
    assert every.of(3, ordered)
    assert every.of(3, ordered)
    assert not every.of(4, ordered)
    assert not every.of(3, mx.array([0, 2, 1]))
    assert not every.of(3, mx.array([0, 1]))

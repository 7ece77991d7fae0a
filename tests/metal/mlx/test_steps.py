"""What is common to all layers of a step."""

from __future__ import annotations

import numpy as np
import pytest

from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.mlx.steps import Step


@pytest.mark.parametrize(
    ("counts", "singles"),
    [([1, 1], True), ([1], True), ([1, 0], False), ([0, 1], False), ([1, 2], False), ([2], False)],
)
def test_every_sequence_runs_a_token_or_the_step_is_none_of_single_ones(counts: list[int], singles: bool) -> None:
    starts, tokens = np.cumsum([0, *counts]).astype(np.int32), sum(counts)
    tables = GroupTables(np.arange(tokens, dtype=np.int32), np.zeros((len(counts), 1), np.int32), 16)
    batch = Batch(starts, np.array(counts, np.int32), np.zeros(tokens, np.int32), (tables,))
    assert Step(batch).singles is singles

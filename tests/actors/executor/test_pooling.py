"""One vector out of hidden states, in chunks or at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.actors.executor.pooling import Gathered
from mlxr.models.architectures.pooling_head import Pooling

HIDDEN: NDArray[np.float32] = np.random.default_rng(1).standard_normal((9, 4)).astype(np.float32)
WEIGHTS = np.arange(1, 10)[:, None]

EXPECTED = {
    Pooling.CLS: HIDDEN[0],
    Pooling.LAST: HIDDEN[-1],
    Pooling.MAX: HIDDEN.max(axis=0),
    Pooling.MEAN: HIDDEN.mean(axis=0),
    Pooling.MEAN_SQRT: HIDDEN.sum(axis=0) / 3,
    Pooling.WEIGHTED_MEAN: (HIDDEN * WEIGHTS).sum(axis=0) / WEIGHTS.sum(),
}


@pytest.mark.parametrize("way", list(Pooling))
@pytest.mark.parametrize("cuts", [[9], [1, 8], [4, 4, 1]])
def test_every_way_pools_as_its_definition_says_whatever_the_chunks(way: Pooling, cuts: list[int]) -> None:
    gathered, start = Gathered(), 0
    for length in cuts:
        gathered.add(HIDDEN[start : start + length], start, [way])
        start += length
    assert np.allclose(gathered.pooled(way), EXPECTED[way], atol=1e-6)

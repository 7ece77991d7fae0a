"""Rope frequencies by GGUF's keys, held against values computed from the papers' own formulas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mlxr.metal.specs import RopeStyle
from mlxr.models.architectures.rope import rope_from
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

PLAIN = [10000 ** (-2 * i / 64) for i in range(32)]


def frequencies(**keys: object) -> np.ndarray:
    named = {f"rope.{key}": value for key, value in keys.items()}
    return np.array(rope_from(Hyperparameters(Path("m"), named), RopeStyle.NORMAL, 64).inverse_frequencies)


def test_frequencies_fall_from_one_by_the_base() -> None:
    assert frequencies() == pytest.approx(PLAIN, rel=1e-6)
    assert frequencies(freq_base=5e5)[1] == pytest.approx(5e5 ** (-2 / 64), rel=1e-6)


def test_linear_scaling_divides_them_all() -> None:
    scaled = frequencies(**{"scaling.type": "linear", "scaling.factor": 4.0})
    assert scaled == pytest.approx([f / 4 for f in PLAIN], rel=1e-6)
    assert frequencies(**{"scaling.type": "none", "scaling.factor": 4.0}) == pytest.approx(PLAIN, rel=1e-6)


def test_yarn_keeps_fast_pairs_stretches_slow_ones_and_raises_the_magnitude() -> None:
    keys = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 4096}
    rope = rope_from(Hyperparameters(Path("m"), keys), RopeStyle.NORMAL, 64)
    assert rope.magnitude == pytest.approx(0.1 * math.log(4) + 1)
    for ours, plain in zip(rope.inverse_frequencies, PLAIN, strict=True):
        turns = 4096 * plain / (2 * math.pi)
        if turns > 40:
            assert ours == pytest.approx(plain, rel=1e-6)
        elif turns < 0.7:
            assert ours == pytest.approx(plain / 4, rel=1e-6)
        else:
            assert plain / 4 * 0.999 <= ours <= plain * 1.001


def test_an_unknown_scaling_is_named() -> None:
    with pytest.raises(UnsupportedModelError, match="'longrope'"):
        frequencies(**{"scaling.type": "longrope"})

"""Ropes by GGUF's keys, held against the papers' own formulas, and by a ``config.json``, against transformers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mlxr.metal.specs import RopeStyle
from mlxr.models.architectures import config_json
from mlxr.models.architectures.config_json import flattened
from mlxr.models.architectures.rope import rope_from
from mlxr.models.architectures.rope_config import rope_of_config, score_mscale
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters
from tests.models.architectures.rope_cases import CASES, CONTEXT, DIMS

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "ropes.json").read_text())
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


@pytest.mark.parametrize(
    ("keys", "magnitude"),
    [
        ({}, 1 + 0.1 * math.log(8)),
        ({"yarn_attn_factor": 1.0}, 1 + 0.1 * math.log(8)),  # llama.cpp's default, which it may write out
        ({"yarn_attn_factor": 0.8}, 0.8),
        ({"yarn_log_multiplier": 1.0}, 1.0),
        ({"yarn_log_multiplier": 0.5}, (1 + 0.1 * math.log(8)) / (1 + 0.05 * math.log(8))),
        ({"attn_factor": 2.0}, 2 + 0.2 * math.log(8)),
    ],
)
def test_yarn_s_magnitude_follows_llama_cpp_s_keys(keys: dict[str, float], magnitude: float) -> None:
    yarn = {"type": "yarn", "factor": 8.0, "original_context_length": 512, **keys}
    named = {f"rope.scaling.{key}": value for key, value in yarn.items()}
    rope = rope_from(Hyperparameters(Path("m"), named), RopeStyle.NORMAL, 64)
    assert rope.magnitude == pytest.approx(magnitude)


def configuration(settings: dict[str, object]) -> Hyperparameters:
    values = flattened({"max_position_embeddings": CONTEXT, **settings})
    return Hyperparameters(Path("m"), values, "", Format.HUGGING_FACE, config_json.KEYS)


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_s_rope_is_that_of_transformers(case: str) -> None:
    parameters, expected = configuration(dict(CASES[case])), RECORDED[case]
    rope = rope_of_config(parameters, DIMS)
    assert rope.inverse_frequencies == pytest.approx(expected["frequencies"], rel=1e-5, abs=1e-12)
    assert rope.magnitude == pytest.approx(expected["magnitude"])
    assert score_mscale(parameters) == pytest.approx(expected["scale"])


def test_hunyuan_s_alpha_enlarges_the_base() -> None:
    scaling = {"type": "dynamic", "alpha": 1000.0, "factor": 1.0, "beta_fast": 32, "mscale": 1.0}
    rope = rope_of_config(configuration({"rope_theta": 10000.0, "rope_scaling": scaling}), DIMS)
    base = 10000.0 * 1000.0 ** (DIMS / (DIMS - 2))
    assert rope.inverse_frequencies == pytest.approx([base ** (-2 * i / DIMS) for i in range(DIMS // 2)], rel=1e-6)


def test_longrope_s_factors_divide_a_file_s_frequencies() -> None:
    factors = np.linspace(1, 4, 32)
    named = {"rope.scaling.type": "longrope"}
    rope = rope_from(Hyperparameters(Path("m"), named), RopeStyle.NEOX, 64, factors)
    assert rope.inverse_frequencies == pytest.approx([f / by for f, by in zip(PLAIN, factors, strict=True)], rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"rope_scaling": {"type": "axial"}}, "scales its rope by 'axial'; mlxr knows default"),
        ({"rope_scaling": {"type": "yarn", "factor": 0.5}}, "a factor of 1 or more"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0}, "rope_theta": 1.0}, "it is above 1"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0, "beta_fast": -3}}, "both are above 0"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0, "alpha": -3.0}}, "by an alpha of -3.0"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling.factor"),
    ],
)
def test_settings_that_make_no_rope_are_named(settings: dict[str, object], reason: str) -> None:
    with pytest.raises((ModelFileError, UnsupportedModelError), match=reason):
        rope_of_config(configuration(settings), DIMS)

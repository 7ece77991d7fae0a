"""Looking up a model's settings: typed, and clear about what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlxr.models.errors import ModelFileError
from mlxr.models.hyperparameters import Hyperparameters

PARAMETERS = Hyperparameters(
    Path("some.gguf"), {"llama.count": 3, "llama.ratio": 0.5, "llama.name": "x", "llama.flag": True}, "llama."
)


def test_values_come_by_key_without_the_architecture() -> None:
    assert PARAMETERS.integer("count") == 3
    assert PARAMETERS.number("ratio") == 0.5
    assert PARAMETERS.number("count") == 3.0
    assert PARAMETERS.text("name") == "x"
    assert "count" in PARAMETERS
    assert "llama.count" not in PARAMETERS


def test_a_default_stands_in_for_a_missing_key_and_a_missing_key_without_one_is_named() -> None:
    assert PARAMETERS.integer("depth", 0) == 0
    with pytest.raises(ModelFileError, match=r"some\.gguf: lacks the key 'llama\.depth'"):
        PARAMETERS.integer("depth")


@pytest.mark.parametrize(
    ("look_up", "reason"),
    [
        (lambda: PARAMETERS.integer("ratio"), "has '0.5' for 'llama.ratio', which should be a whole number"),
        (lambda: PARAMETERS.integer("flag"), "should be a whole number"),
        (lambda: PARAMETERS.number("name"), "should be a number"),
        (lambda: PARAMETERS.text("count"), "should be text"),
        (lambda: PARAMETERS.positive("nothing", 0), "should be 1 or more"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_it_should_be(look_up: object, reason: str) -> None:
    assert callable(look_up)
    with pytest.raises(ModelFileError, match=reason):
        look_up()


def test_model_files_are_checked_without_mlx() -> None:
    modules = "mlxr.models.loading, mlxr.models.errors"
    code = f"import sys, {modules}; sys.exit(any(name.partition('.')[0] == 'mlx' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

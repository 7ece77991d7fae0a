"""Whether a model's files are still the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlxr.models.errors import ModelFileError
from mlxr.models.identity import identity, require_same


def rewritten(path: Path) -> None:
    path.write_bytes(b"others")
    os.utime(path, ns=(1, 1))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [rewritten, replaced, removed])
@pytest.mark.parametrize("folder", [False, True])
def test_a_change_of_a_models_files_is_noticed(tmp_path: Path, change: object, folder: bool) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    model = tmp_path if folder else path
    before = identity(model)
    require_same(model, before)
    assert callable(change)
    change(path)
    with pytest.raises(ModelFileError, match="was changed while its model was in use"):
        require_same(model, before)


def test_nothing_is_said_of_a_model_that_nobody_looked_at(tmp_path: Path) -> None:
    require_same(tmp_path / "absent", "")

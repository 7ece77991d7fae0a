"""What is broken is named in one line, with the file, the place and the way out, before anything large is read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.errors import UnusableModelError
from mlxr.models.loading import check_model, load_model
from mlxr.models.modelfile import ModelFile
from tests.models.formats.broken import BROKEN, folder, split

MOST_BYTES = 4096
"""Of a matrix that may be read before a model is refused; those of these have more."""


@pytest.fixture(autouse=True)
def no_weights_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = ModelFile.values

    def small(file: ModelFile, start: int, count: int) -> NDArray[np.uint8]:
        assert count <= MOST_BYTES, f"{count} bytes of {file.path} were read"
        return read(file, start, count)

    monkeypatch.setattr(ModelFile, "values", small)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_refused_with_one_line(name: str, tmp_path: Path) -> None:
    path = BROKEN[name].make(tmp_path / "broken")
    for refuse in (check_model, lambda path: load_model(path, ReferenceBackend())):
        with pytest.raises(UnusableModelError) as caught:
            refuse(path)
        assert re.search(BROKEN[name].says, str(caught.value))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_model_says_of_itself_says_that_it_is_broken(name: str, tmp_path: Path) -> None:
    path = BROKEN[name].make(tmp_path / "broken")
    try:
        said = read_model_info(path).unusable
    except UnusableModelError as error:
        said = str(error)
    assert re.search(BROKEN[name].says, f"{path} {said}")


def test_the_models_that_are_broken_are_sound_otherwise(tmp_path: Path) -> None:
    check_model(folder(tmp_path / "folder"))
    with pytest.raises(UnusableModelError, match="lacks the key"):  # whole as far as its files go
        check_model(split(tmp_path / "split"))

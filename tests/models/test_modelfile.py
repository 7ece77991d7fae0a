"""Files that change while a model is read from them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.loading import load_model
from mlxr.models.modelfile import ModelFile
from tests.models.files import Sizes, write_model, write_small


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_small(tmp_path / "small.gguf")


def test_a_file_that_becomes_shorter_costs_an_error_that_names_it(small: Path) -> None:
    tensors = GGUFFile.open(small).tensors
    os.truncate(small, 100)
    with pytest.raises(ModelFileError, match=r"small\.gguf: changed while it was read"):
        tensors["blocks"].read()


def test_a_header_that_becomes_shorter_costs_an_error_too(small: Path) -> None:
    file = ModelFile(small)
    os.truncate(small, 100)
    with pytest.raises(ModelFileError, match="changed while it was read"):
        file.read(0, 200)


def test_a_file_that_is_written_to_is_noticed(small: Path) -> None:
    tensors = GGUFFile.open(small).tensors
    with small.open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(bytes(8))
    os.utime(small, ns=(1, 1))
    with pytest.raises(ModelFileError, match="changed while it was read"):
        tensors["blocks"].read()


def test_a_file_that_another_takes_the_place_of_is_read_to_its_end(small: Path, tmp_path: Path) -> None:
    before = GGUFFile.open(small).tensors["matrix"].read().data
    tensors = GGUFFile.open(small).tensors
    (tmp_path / "other").write_bytes(b"GGUF")
    (tmp_path / "other").replace(small)
    assert np.array_equal(tensors["matrix"].read().data, before)


def test_a_model_that_is_cut_short_while_it_loads_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes())

    def cut(stage: str, fraction: float) -> None:
        os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(ModelFileError, match=r"m\.gguf: changed while it was read"):
        load_model(path, ReferenceBackend(), cut)


def test_a_file_is_closed_with_the_last_that_reads_it(small: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        GGUFFile.open(small)
    assert len(os.listdir("/dev/fd")) == before


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    for path in (tmp_path / "pipe.gguf", Path("/dev/null"), tmp_path):
        with pytest.raises(ModelFileError, match="can't be read: is no regular file"):
            GGUFFile.open(path)

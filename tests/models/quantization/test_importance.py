from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter

from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.quantization.importance import Measured, read_importance, write_importance
from tests.models.quantization.models import small_model

NAME = "blk.0.ffn_down.weight"


def legacy(path: Path, calls: int = 4, rest: bytes = struct.pack("<ii", 9, 4) + b"wiki") -> Path:
    """As ``llama-imatrix`` wrote them until 2025: entries, then chunks and the name of the text."""
    values = np.arange(1, 5, dtype="<f4") * calls
    entry = struct.pack("<i", len(NAME)) + NAME.encode() + struct.pack("<ii", calls, 4) + values.tobytes()
    path.write_bytes(struct.pack("<i", 1) + entry + rest)
    return path


def test_the_old_form_is_read(tmp_path: Path) -> None:
    read = read_importance(legacy(tmp_path / "imatrix.dat"))
    np.testing.assert_array_equal(read.weights[NAME], [1, 2, 3, 4])
    assert (read.datasets, read.chunks) == (("wiki",), 9)
    assert read_importance(legacy(tmp_path / "bare.dat", rest=b"")).datasets == ()


def test_the_form_as_gguf_is_read_with_an_unused_expert_at_one(tmp_path: Path) -> None:
    path = tmp_path / "imatrix.gguf"
    writer = GGUFWriter(path, "")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["wiki.txt"])
    writer.add_uint32("imatrix.chunk_count", 3)
    writer.add_uint32("imatrix.chunk_size", 512)
    writer.add_tensor(f"{NAME}.in_sum2", np.array([[2, 4], [0, 0]], np.float32))
    writer.add_tensor(f"{NAME}.counts", np.array([[2], [0]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    read = read_importance(path)
    np.testing.assert_array_equal(read.of(NAME, (2, 8, 2)), [[1, 2], [1, 1]])
    assert (read.datasets, read.chunks) == (("wiki.txt",), 3)


def test_what_is_written_is_read_again_here_and_by_the_gguf_package(tmp_path: Path) -> None:
    path = tmp_path / "made.gguf"
    sums, counts = np.array([[8, 4, 2]], np.float32), np.array([2], np.float32)
    with path.open("wb") as file:
        write_importance(file, {NAME: Measured(sums, counts)}, ["a.txt"], 5, 512)
    np.testing.assert_array_equal(read_importance(path).weights[NAME], [[4, 2, 1]])
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    np.testing.assert_array_equal(tensors[f"{NAME}.in_sum2"].data, sums)
    assert tensors[f"{NAME}.counts"].shape.tolist() == [1, 1]


@pytest.mark.parametrize("size", [0, 3, 10, 40])
def test_a_file_that_ends_early_is_no_importance_matrix(tmp_path: Path, size: int) -> None:
    path = legacy(tmp_path / "cut.dat")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelFileError, match="no importance matrix"):
        read_importance(path)


def test_a_model_is_no_importance_matrix(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="no imatrix"):
        read_importance(small_model(tmp_path / "model.gguf", layers=1))


def test_infinite_importances_are_refused(tmp_path: Path) -> None:
    path = legacy(tmp_path / "wild.dat", rest=b"")
    path.write_bytes(path.read_bytes()[:-4] + np.float32(np.inf).tobytes())
    with pytest.raises(ModelFileError, match="no finite number"):
        read_importance(path)

"""Big-endian files hold what little-endian ones do."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFWriter
from gguf.scripts import gguf_convert_endian

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import BLOCKS, TensorType
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.tensor_types import TENSOR_TYPES
from mlxr.models.loading import load_model
from tests.models.files import Sizes, finish, write_model, write_small
from tests.oracle.fidelity import run_chunks

# Blocks as ggml-common.h declares them; words of 32 bits where kernels take bytes so.
STRUCTS: dict[TensorType, list[tuple[str, int]]] = {
    TensorType.F32: [("u4", 1)],
    TensorType.F16: [("u2", 1)],
    TensorType.BF16: [("u2", 1)],
    TensorType.Q4_0: [("u2", 1), ("u1", 16)],
    TensorType.Q4_1: [("u2", 1), ("u2", 1), ("u1", 16)],
    TensorType.Q5_0: [("u2", 1), ("u4", 1), ("u1", 16)],
    TensorType.Q5_1: [("u2", 1), ("u2", 1), ("u4", 1), ("u1", 16)],
    TensorType.Q8_0: [("u2", 1), ("u1", 32)],
    TensorType.Q2_K: [("u1", 16), ("u1", 64), ("u2", 1), ("u2", 1)],
    TensorType.Q3_K: [("u1", 32), ("u1", 64), ("u1", 12), ("u2", 1)],
    TensorType.Q4_K: [("u2", 1), ("u2", 1), ("u1", 12), ("u1", 128)],
    TensorType.Q5_K: [("u2", 1), ("u2", 1), ("u1", 12), ("u1", 32), ("u1", 128)],
    TensorType.Q6_K: [("u1", 128), ("u1", 64), ("u1", 16), ("u2", 1)],
    TensorType.Q8_K: [("u4", 1), ("u1", 256), ("u2", 16)],
    TensorType.IQ2_XXS: [("u2", 1), ("u4", 16)],
    TensorType.IQ2_XS: [("u2", 1), ("u2", 32), ("u1", 8)],
    TensorType.IQ2_S: [("u2", 1), ("u1", 64), ("u1", 8), ("u1", 8)],
    TensorType.IQ3_XXS: [("u2", 1), ("u1", 64), ("u4", 8)],
    TensorType.IQ3_S: [("u2", 1), ("u1", 64), ("u1", 8), ("u1", 32), ("u1", 4)],
    TensorType.IQ1_S: [("u2", 1), ("u1", 32), ("u2", 8)],
    TensorType.IQ1_M: [("u1", 32), ("u1", 16), ("u2", 4)],
    TensorType.IQ4_NL: [("u2", 1), ("u1", 16)],
    TensorType.IQ4_XS: [("u2", 1), ("u2", 1), ("u1", 4), ("u1", 128)],
    TensorType.TQ1_0: [("u1", 48), ("u1", 4), ("u2", 1)],
    TensorType.TQ2_0: [("u1", 64), ("u2", 1)],
    TensorType.Q1_0: [("u2", 1), ("u1", 16)],
    TensorType.MXFP4: [("u1", 1), ("u1", 16)],
    TensorType.NVFP4: [("u1", 4), ("u1", 32)],
}


def struct(type: TensorType, order: str) -> np.dtype[np.void]:
    fields = [(f"f{i}", f"{order}{kind}", (count,)) for i, (kind, count) in enumerate(STRUCTS[type])]
    return np.dtype(fields)


@pytest.mark.parametrize("type", [type for type in TENSOR_TYPES.values() if type in STRUCTS])
def test_every_type_of_a_big_endian_file_reads_as_of_a_little_endian_one(type: TensorType, tmp_path: Path) -> None:
    values, size = BLOCKS[type]
    rows, columns = 3, 2 * max(values, 4)
    data = np.random.default_rng(1).integers(0, 256, (rows, columns // values * size), dtype=np.uint8)
    writer = GGUFWriter(tmp_path / "big.gguf", "llama", endianess=GGUFEndian.BIG)
    writer.add_array("a.numbers", [1, -2, 1 << 20])
    writer.add_array("a.words", ["one", "", "três"])
    writer.add_float64("a.ratio", 0.1)
    swapped = data.view(struct(type, "<")).astype(struct(type, ">")).view(np.uint8).reshape(data.shape)
    writer.add_tensor("w", swapped, raw_dtype=GGMLQuantizationType[type.value])
    file = GGUFFile.open(finish(writer, tmp_path / "big.gguf"))
    assert file.metadata["a.numbers"].tolist() == [1, -2, 1 << 20]
    assert file.metadata["a.words"] == ["one", "", "três"]
    assert file.metadata["a.ratio"] == 0.1
    tensor = file.tensors["w"].read()
    assert (tensor.type, tensor.shape) == (type, (rows, columns))
    assert np.array_equal(tensor.data, data)
    assert np.array_equal(file.tensors["w"].read_rows(0, 1).data, data[:1])


def test_a_big_endian_model_computes_what_the_little_endian_one_does(tmp_path: Path) -> None:
    little = write_model(tmp_path / "little.gguf", "llama", TensorType.Q4_K, Sizes(layers=1))
    big = turn(little, tmp_path / "big.gguf")
    backend, logits = ReferenceBackend(), []
    for path in (little, big):
        model = load_model(path, backend)
        hidden = run_chunks(model, backend, [1, 2, 3], 3, 16)
        logits.append(np.array(model.logits(hidden, mx.arange(3))))
    assert np.array_equal(*logits)


def turn(path: Path, target: Path) -> Path:
    """The file in the other order of bytes, by the gguf package's own converter."""
    shutil.copy(path, target)
    reader = GGUFReader(target, "r+")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.input", lambda _: "YES")
        gguf_convert_endian.convert_byteorder(reader, argparse.Namespace(order="big", dry_run=False))
    reader.data.flush()
    return target


def test_a_file_that_the_gguf_package_turned_reads_as_before(tmp_path: Path) -> None:
    small = write_small(tmp_path / "small.gguf")
    turn(small, tmp_path / "turned.gguf")
    ours, before = GGUFFile.open(tmp_path / "turned.gguf"), GGUFFile.open(small)
    assert (tmp_path / "turned.gguf").read_bytes() != small.read_bytes()
    assert list(ours.metadata) == list(before.metadata)
    for key, value in before.metadata.items():
        assert np.array_equal(ours.metadata[key], value), key
    for name, tensor in before.tensors.items():
        assert np.array_equal(ours.tensors[name].read().data, tensor.read().data), name

"""MXFP4 experts mean what OpenAI's definition says: two values a byte, the low nibble first, times a power of two."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.safetensors.folder import ModelFolder
from tests.models.formats.raw import Raw, write_raw

VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6])
NAME = "model.layers.0.mlp.experts.down_proj"


def folder(path: Path, blocks: np.ndarray, scales: np.ndarray) -> ModelFolder:
    write_raw(path / "model.safetensors", {f"{NAME}_blocks": Raw.of(blocks), f"{NAME}_scales": Raw.of(scales)})
    (path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "mxfp4"}}))
    return ModelFolder.open(path)


def test_experts_are_read_above_one_another(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (3, 8, 2, 16), dtype=np.uint8)
    scales = random.integers(118, 130, (3, 8, 2), dtype=np.uint8)
    tensor = folder(tmp_path, blocks, scales).tensors[f"{NAME}.weight"]
    assert (tensor.type, tensor.shape) == (TensorType.MXFP4, (3, 8, 64))
    pairs = np.stack([VALUES[blocks & 15], VALUES[blocks >> 4]], axis=-1).reshape(3, 8, 2, 32)
    expected = pairs * 2.0 ** (scales.astype(int)[..., None] - 127)
    assert np.array_equal(dequantize(tensor.read()), expected.reshape(24, 64).astype(np.float32))


def test_blocks_of_another_size_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=rf"has '{NAME}\.weight' of .*, which blocks of 32 values do not make"):
        folder(tmp_path, np.zeros((3, 8, 2, 8), np.uint8), np.zeros((3, 8, 2), np.uint8))

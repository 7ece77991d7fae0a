"""Columns that are grouped by activation keep their own groups' scales."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.quantized.act_order import BYTES, NOTE
from mlxr.models.formats.safetensors.folder import ModelFolder
from tests.models.formats.quantized.writers import COMPRESSED, GROUP, packed
from tests.models.formats.raw import Raw, write_raw

VALUES = np.random.default_rng(0).normal(0, 0.05, (16, 128)).astype(np.float32)


def folder(path: Path, order: np.ndarray) -> ModelFolder:
    """A matrix of compressed-tensors' with the group of each column."""
    parts = {f"m.{name}": raw for name, raw in packed(VALUES)[0].items()}
    write_raw(path / "model.safetensors", {**parts, "m.weight_g_idx": Raw.of(order.astype(np.int32))})
    (path / "config.json").write_text(json.dumps({"quantization_config": COMPRESSED}))
    return ModelFolder.open(path)


def test_each_column_has_the_scale_of_its_group(tmp_path: Path) -> None:
    plain = np.arange(128) // GROUP
    order = np.random.default_rng(1).permutation(plain)
    parts, means = packed(VALUES)
    scales = np.frombuffer(parts["weight_scale"].data, np.float16).reshape(16, -1).astype(np.float32)
    expected = means / scales[:, plain] * scales[:, order]
    opened = folder(tmp_path, order)
    tensor = opened.tensors["m.weight"].read()
    assert tensor.type is TensorType.AFFINE
    assert opened.notes == (NOTE.format(BYTES),)
    # Half a 255th of the range of 32 neighbours.
    assert np.abs(dequantize(tensor) - expected).max() < np.ptp(expected) / 255 / 2 * 1.01


@pytest.mark.parametrize("order", [np.arange(128) // GROUP, np.full(128, -1)])
def test_an_order_that_is_none_changes_nothing(order: np.ndarray, tmp_path: Path) -> None:
    opened = folder(tmp_path, order)
    assert opened.notes == ()
    assert np.allclose(dequantize(opened.tensors["m.weight"].read()), packed(VALUES)[1], rtol=1e-6)


def test_groups_that_there_are_not_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="names groups beyond the 4 that there are"):
        folder(tmp_path, np.full(128, 4))

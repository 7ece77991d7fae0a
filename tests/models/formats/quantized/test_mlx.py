"""Folders whose matrices MLX quantized compute what their dequantized weights do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.quantized.mlx import BITS
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints import TOKENS, config_of, tensors_of
from tests.oracle.fidelity import run_chunks

CONFIG = {**config_of("qwen3"), "intermediate_size": 128}
MIXED = "model.layers.1.mlp.down_proj"
"""A matrix with settings of its own."""


def write(folder: Path, bits: int, group: int, **more: Any) -> tuple[Path, dict[str, np.ndarray]]:
    """The folder, and the values of its matrices as MLX has them."""
    folder.mkdir()
    settings = {"group_size": group, "bits": bits, MIXED: {"group_size": 32, "bits": 8}, **more}
    (folder / "config.json").write_text(
        json.dumps({**CONFIG, "quantization": settings, "quantization_config": settings})
    )
    stored: dict[str, mx.array] = {}
    values: dict[str, np.ndarray] = {}
    for name, tensor in tensors_of(CONFIG).items():
        if tensor.ndim == 1:
            stored[name] = mx.array(tensor)
            continue
        module, own = name.removesuffix(".weight"), (32, 8) if name.startswith(MIXED) else (group, bits)
        packed, scales, biases = mx.quantize(mx.array(tensor).astype(mx.float16), *own)
        stored |= {name: packed, f"{module}.scales": scales, f"{module}.biases": biases}
        values[name] = np.array(mx.dequantize(packed, scales.astype(mx.float32), biases.astype(mx.float32), *own))
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    return folder, values


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group", [32, 64])
def test_every_matrix_is_read_as_mlx_dequantizes_it(bits: int, group: int, tmp_path: Path) -> None:
    path, values = write(tmp_path / "model", bits, group)
    tensors = ModelFolder.open(path).tensors
    assert set(tensors) == set(tensors_of(CONFIG))
    for name, expected in values.items():
        tensor = tensors[name].read()
        exact = tensor.type is not TensorType.F16
        tolerance = 1e-6 if exact else 1e-3
        assert np.abs(dequantize(tensor) - expected).max() <= tolerance * np.abs(expected).max()
        assert np.array_equal(dequantize(tensors[name].read_row()), dequantize(tensor)[0])


@pytest.mark.parametrize("bits", [4, 6])
def test_a_quantized_folder_runs(bits: int, tmp_path: Path) -> None:
    path, values = write(tmp_path / "model", bits, 64)
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "config.json").write_text(json.dumps(CONFIG))
    tensors = {name: mx.array(values.get(name, tensor)) for name, tensor in tensors_of(CONFIG).items()}
    mx.save_safetensors(str(plain / "model.safetensors"), tensors)
    backend, logits = ReferenceBackend(), []
    for folder in (path, plain):
        model = load_model(folder, backend)
        hidden = run_chunks(model, backend, TOKENS, chunk=13, page_size=16)
        logits.append(np.array(model.logits(hidden, mx.arange(len(TOKENS)))))
    assert np.abs(logits[0] - logits[1]).max() < 2e-3 * np.abs(logits[1]).max()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": "mxfp4"}, "MLX's mode 'mxfp4'"),
        ({"bits": 7}, "7 bits in groups of 64"),
        ({"group_size": 128, "bits": 4}, "in groups of 128 do not make"),
        ({"bits": "4"}, "mlxr reads"),
    ],
)
def test_what_mlxr_does_not_read_is_named(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path / "model", 4, 64)
    config = json.loads((path / "config.json").read_text())
    config["quantization"] |= changes
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=reason):
        check_model(path)


def test_a_matrix_that_lacks_a_part_is_named(tmp_path: Path) -> None:
    path, _ = write(tmp_path / "model", 4, 64)
    stored = mx.load(str(path / "model.safetensors"))
    assert isinstance(stored, dict)
    del stored["lm_head.biases"]
    mx.save_safetensors(str(path / "model.safetensors"), stored)
    with pytest.raises(ModelFileError, match=r"'lm_head\.scales' without its weight and biases"):
        check_model(path)

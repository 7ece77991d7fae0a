"""Folders whose matrices MLX quantized compute what their dequantized weights do, on every backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.matrix_forms import Codes
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.dequantize import dequantize
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.quantized.mlx import BITS, MODES
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.loading import check_model, load_model
from tests.metal.backends import BACKENDS, IDS, slack
from tests.models.architectures.checkpoints import TOKENS, config_of, tensors_of
from tests.oracle.fidelity import run_chunks

CONFIG = {**config_of("qwen3"), "intermediate_size": 128}
MIXED = "model.layers.1.mlp.down_proj"
"""A matrix with settings of its own."""
PLAIN = "model.layers.0.self_attn.v_proj"
"""One that is not quantized."""
OWN = {"group_size": 32, "bits": 8, "mode": "affine"}

AFFINE = [{"group_size": group, "bits": bits} for bits in BITS for group in (32, 64)]
MODE_SETTINGS = [{"group_size": group, "bits": bits, "mode": mode} for mode, (bits, group, _) in MODES.items()]
EVERY = [*AFFINE, *MODE_SETTINGS]


def named(settings: dict[str, Any]) -> str:
    return settings.get("mode") or f"{settings['bits']} bits by {settings['group_size']}"


def write(folder: Path, settings: dict[str, Any]) -> tuple[Path, dict[str, np.ndarray]]:
    """The folder, and the values of its matrices as MLX has them."""
    folder.mkdir()
    written = {**settings, MIXED: OWN, PLAIN: False}
    (folder / "config.json").write_text(json.dumps({**CONFIG, "quantization": written, "quantization_config": written}))
    stored: dict[str, mx.array] = {}
    values: dict[str, np.ndarray] = {}
    for name, tensor in tensors_of(CONFIG).items():
        if tensor.ndim == 1 or name.startswith(PLAIN):
            stored[name] = mx.array(tensor).astype(mx.float16)
            values[name] = np.array(stored[name].astype(mx.float32))
            continue
        parts, values[name] = quantized(mx.array(tensor), OWN if name.startswith(MIXED) else settings)
        stored |= {f"{name.removesuffix('.weight')}.{part}": array for part, array in parts.items()}
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    return folder, values


def quantized(matrix: mx.array, settings: dict[str, Any]) -> tuple[dict[str, mx.array], np.ndarray]:
    """The parts of a matrix, and what MLX dequantizes them to."""
    group, bits, mode = settings["group_size"], settings["bits"], settings.get("mode", "affine")
    parts = dict(
        zip(("weight", "scales", "biases"), mx.quantize(matrix.astype(mx.float16), group, bits, mode), strict=False)
    )
    wide = [part.astype(mx.float32) if part.dtype == mx.float16 else part for part in parts.values()]
    return parts, np.array(mx.dequantize(*wide, group_size=group, bits=bits, mode=mode, dtype=mx.float32))


@pytest.mark.parametrize("settings", EVERY, ids=named)
def test_every_matrix_is_read_as_mlx_dequantizes_it(settings: dict[str, Any], tmp_path: Path) -> None:
    path, values = write(tmp_path / "model", settings)
    tensors = ModelFolder.open(path).tensors
    assert set(tensors) == set(tensors_of(CONFIG))
    for name, expected in values.items():
        tensor = tensors[name].read()
        assert np.abs(dequantize(tensor) - expected).max() <= 1e-6 * np.abs(expected).max()
        assert np.array_equal(dequantize(tensors[name].read_rows(0, 1)), np.atleast_2d(dequantize(tensor))[:1])


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("settings", [{"group_size": 64, "bits": bits} for bits in BITS] + MODE_SETTINGS, ids=named)
def test_a_quantized_folder_runs(settings: dict[str, Any], backend: Backend, tmp_path: Path) -> None:
    path, values = write(tmp_path / "model", settings)
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "config.json").write_text(json.dumps(CONFIG))
    tensors = {name: mx.array(values.get(name, tensor)) for name, tensor in tensors_of(CONFIG).items()}
    mx.save_safetensors(str(plain / "model.safetensors"), tensors)
    logits = []
    for folder, one in ((path, backend), (plain, ReferenceBackend())):
        model = load_model(folder, one)
        hidden = run_chunks(model, one, TOKENS, chunk=13, page_size=16)
        logits.append(np.array(model.logits(hidden, mx.arange(len(TOKENS)))))
    assert np.abs(logits[0] - logits[1]).max() < 1e-3 * slack(backend, 10) * np.abs(logits[1]).max()


@pytest.mark.parametrize("settings", EVERY, ids=named)
def test_matrices_stay_quantized_on_mlx(settings: dict[str, Any], tmp_path: Path) -> None:
    path, _ = write(tmp_path / "model", settings)
    backend = MlxBackend(WAYS["cpu"])
    tensor = ModelFolder.open(path).tensors["model.layers.0.mlp.up_proj.weight"].read()
    matrix = backend.weight(tensor).handle.matrix
    assert isinstance(matrix, Codes)
    assert (matrix.bits, matrix.group, matrix.mode) == (
        settings["bits"],
        settings["group_size"],
        settings.get("mode", "affine"),
    )


@pytest.mark.parametrize("settings", EVERY, ids=named)
def test_experts_lie_above_one_another(settings: dict[str, Any], tmp_path: Path) -> None:
    experts = np.random.default_rng(0).normal(0, 0.1, (3, 16, 128)).astype(np.float32)
    parts, expected = quantized(mx.array(experts), settings)
    name = "model.layers.0.mlp.switch_mlp.gate_proj"
    mx.save_safetensors(str(tmp_path / "model.safetensors"), {f"{name}.{part}": a for part, a in parts.items()})
    (tmp_path / "config.json").write_text(json.dumps({"quantization": settings}))
    tensor = ModelFolder.open(tmp_path).tensors[f"{name}.weight"]
    assert tensor.shape == (3, 16, 128)
    assert np.allclose(dequantize(tensor.read()).reshape(3, 16, 128), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": "int4"}, "MLX's mode 'int4'; mlxr reads affine, mxfp4, mxfp8, nvfp4"),
        ({"mode": "mxfp4"}, "64 by mxfp4, which has 4 in 32"),
        ({"bits": 7}, "7 bits in groups of 64"),
        ({"group_size": 128, "bits": 4}, "in groups of 128 do not make"),
        ({"bits": "4"}, "mlxr reads"),
        ({"bits": 8}, "8 bits in groups of 64 do not make"),
    ],
)
def test_what_mlxr_does_not_read_is_named(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path / "model", {"group_size": 64, "bits": 4})
    config = json.loads((path / "config.json").read_text())
    config["quantization"] |= changes
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=reason):
        check_model(path)


@pytest.mark.parametrize("part", ["weight", "biases"])
def test_a_matrix_that_lacks_a_part_is_named(part: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path / "model", {"group_size": 64, "bits": 4})
    stored = mx.load(str(path / "model.safetensors"))
    assert isinstance(stored, dict)
    del stored[f"lm_head.{part}"]
    mx.save_safetensors(str(path / "model.safetensors"), stored)
    with pytest.raises(ModelFileError, match=rf"lacks the tensor 'lm_head\.{part}', a part of"):
        check_model(path)

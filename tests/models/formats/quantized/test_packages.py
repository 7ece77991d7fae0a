"""Quantized matrices of Hugging Face's folders mean what the packages that wrote them dequantize them to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from safetensors import safe_open

from mlxr.metal.backend import Backend
from mlxr.metal.mlx.weights import REQUANTIZED
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from mlxr.models.formats.safetensors.folder import ModelFolder
from tests.metal.backends import BACKENDS, IDS, slack
from tests.models.formats.raw import read_raw, write_raw

RECORDED = Path(__file__).parents[3] / "data" / "quantized.safetensors"
"""See ``record_packages.py``."""
ROWS, COLUMNS = 32, 64


def compressed(form: str, **weights: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": weights}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}}


def packed(bits: int, **more: Any) -> dict[str, Any]:
    return compressed("pack-quantized", num_bits=bits, type="int", **more)


def gptq(bits: int) -> dict[str, Any]:
    return {"quant_method": "gptq", "bits": bits, "group_size": 32, "desc_act": True, "sym": False}


def awq(group: int) -> dict[str, Any]:
    return {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm"}


BITSANDBYTES = {"quant_method": "bitsandbytes"}
SETTINGS: dict[str, tuple[dict[str, Any], TensorType]] = {
    **{f"gptq {bits}": (gptq(bits), TensorType.AFFINE) for bits in (2, 3, 4, 8)},
    "gptq 4 shuffled": (gptq(4), TensorType.AFFINE),
    "awq 32": (awq(32), TensorType.AFFINE),
    "awq 64": (awq(64), TensorType.AFFINE),
    **{f"bitsandbytes {kind}": (BITSANDBYTES, TensorType.NF4) for kind in ("nf4", "nf4 double", "fp4", "fp4 double")},
    "bitsandbytes int8": (BITSANDBYTES, TensorType.AFFINE),
    **{f"pack-quantized {bits} group": (packed(bits), TensorType.AFFINE) for bits in (2, 3, 4, 5, 6, 8)},
    "pack-quantized 4 asymmetric": (packed(4, symmetric=False), TensorType.AFFINE),
    "pack-quantized 8 channel": (packed(8, strategy="channel"), TensorType.AFFINE),
    "int-quantized channel": (compressed("int-quantized", num_bits=8), TensorType.AFFINE),
    "int-quantized tensor": (compressed("int-quantized", num_bits=8), TensorType.AFFINE),
    "float-quantized tensor": (compressed("float-quantized", num_bits=8, strategy="tensor"), TensorType.FP8_E4M3),
    "float-quantized channel": (compressed("float-quantized", num_bits=8, strategy="channel"), TensorType.FP8_E4M3),
    "float-quantized block": (
        compressed("float-quantized", num_bits=8, strategy="block", block_structure=[16, 64]),
        TensorType.FP8_E4M3,
    ),
    "nvfp4-pack-quantized": (compressed("nvfp4-pack-quantized", num_bits=4), TensorType.NVFP4),
    "mxfp4-pack-quantized": (compressed("mxfp4-pack-quantized", num_bits=4), TensorType.MXFP4),
    "mxfp8-quantized": (compressed("mxfp8-quantized", num_bits=8), TensorType.MXFP8),
}
"""By case: what a model's config.json says, and the type that the matrix is read as."""


def write_case(folder: Path, case: str, settings: dict[str, Any]) -> Path:
    """A folder with the case's parts as those of a module ``m``."""
    parts = {
        f"m.{name.rpartition('/')[2]}": tensor
        for name, tensor in read_raw(RECORDED).items()
        if name.startswith(f"{case}/") and not name.endswith("/expected")
    }
    write_raw(folder / "model.safetensors", parts)
    (folder / "config.json").write_text(json.dumps({"quantization_config": settings}))
    return folder


def expected(case: str) -> np.ndarray:
    with safe_open(RECORDED, "numpy") as file:
        values: np.ndarray = file.get_tensor(f"{case}/expected")
    return values


def test_every_recorded_case_is_looked_at() -> None:
    with safe_open(RECORDED, "numpy") as file:
        assert {name.rpartition("/")[0] for name in file.keys()} == set(SETTINGS)  # noqa: SIM118


@pytest.mark.parametrize("case", SETTINGS)
def test_a_matrix_is_what_its_package_says(case: str, tmp_path: Path) -> None:
    settings, type = SETTINGS[case]
    folder = ModelFolder.open(write_case(tmp_path, case, settings))
    assert set(folder.tensors) == {"m.weight"}
    stored = folder.tensors["m.weight"]
    assert (stored.type, stored.shape) == (type, (ROWS, COLUMNS))
    values, wanted = dequantize(stored.read()), expected(case)
    # Shuffled columns are rounded to a 255th of their range; compressed-tensors computes NVFP4 in bfloat16.
    tolerance = 4e-3 if "shuffled" in case or type is TensorType.NVFP4 else 2e-6
    assert np.abs(values - wanted).max() <= tolerance * np.abs(wanted).max()
    assert np.array_equal(dequantize(stored.read_rows(0, 1)), values[:1])


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("case", SETTINGS)
def test_every_backend_holds_a_matrix_as_near_as_half_precision(case: str, backend: Backend, tmp_path: Path) -> None:
    tensor = ModelFolder.open(write_case(tmp_path, case, SETTINGS[case][0])).tensors["m.weight"].read()
    multiply, truth = (one.linear(one.weight(tensor)) for one in (backend, ReferenceBackend()))
    x = mx.array(np.random.default_rng(0).normal(0, 1, (5, COLUMNS)).astype(np.float32))
    out, wanted = np.array(multiply(x), np.float64), np.array(truth(x), np.float64)
    error = np.sqrt(((out - wanted) ** 2).mean() / (wanted**2).mean())
    requantized = tensor.type in REQUANTIZED and (tensor.type is not TensorType.NVFP4 or tensor.extras)
    assert error < 6e-4 * slack(backend, 15 if requantized else 3)

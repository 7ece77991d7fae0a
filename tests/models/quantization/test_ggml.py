from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from mlxr.metal.tensors import TensorType
from mlxr.models.quantization.ggml import NUMBERS, Ggml, NoEncoder

ENCODABLE = [type for type in NUMBERS if type is not TensorType.Q8_K]


@pytest.fixture(scope="module")
def ggml() -> Ggml:
    return Ggml()


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return (np.random.default_rng(0).standard_normal((4, 1024)) * 0.02).astype(np.float32)


@pytest.mark.parametrize("type", ENCODABLE)
def test_every_type_that_runs_is_encoded_and_read_alike_by_the_gguf_package(
    type: TensorType, ggml: Ggml, weights: np.ndarray
) -> None:
    ggml.prepare(type)
    blocks = ggml.encode(type, weights, np.ones(1024, np.float32))
    decoded = ggml.decode(type, blocks, 1024)
    if type not in (TensorType.NVFP4, TensorType.Q1_0, TensorType.Q2_0):
        np.testing.assert_array_equal(decoded, dequantize(blocks, GGMLQuantizationType[type]))
    error = np.abs(decoded - weights).mean() / np.abs(weights).mean()
    assert error < (0.9 if type.startswith(("TQ", "IQ1", "Q1", "Q2_0")) else 0.4)


@pytest.mark.parametrize("type", ["Q8_0", "BF16", "F16"])
def test_simple_types_are_encoded_as_the_gguf_package_does(type: str, ggml: Ggml, weights: np.ndarray) -> None:
    theirs = quantize(weights, GGMLQuantizationType[type]).view(np.uint8)
    np.testing.assert_array_equal(ggml.encode(TensorType(type), weights), theirs.reshape(len(weights), -1))


def test_columns_that_matter_more_are_kept_more_exactly(ggml: Ggml, weights: np.ndarray) -> None:
    importance = np.where(np.arange(1024) % 2, 1e-3, 1.0).astype(np.float32)
    plain, weighed = (
        np.abs(ggml.decode(TensorType.Q4_K, ggml.encode(TensorType.Q4_K, weights, each), 1024) - weights)[:, ::2].mean()
        for each in (None, importance)
    )
    assert weighed < 0.95 * plain


def test_values_that_are_no_numbers_are_refused(ggml: Ggml, weights: np.ndarray) -> None:
    broken = weights.copy()
    broken[1, 3] = np.nan
    for type in (TensorType.Q8_0, TensorType.F16):
        with pytest.raises(ValueError, match="no finite number"):
            ggml.encode(type, broken)


def test_without_the_library_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NoEncoder, match="pip install --force-reinstall libggml-python"):
        Ggml()

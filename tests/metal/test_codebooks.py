"""Types of few bits rewritten as codes of 16 values lose nothing, held against the ``gguf`` package."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from mlxr.metal import codebooks
from mlxr.metal.codebooks import BLOCK, BLOCK_OF_32, CODEBOOK_TYPES, SCALES_OF_32, Codebook, codebook
from mlxr.metal.tensors import TensorType
from tests.metal.tensors import random_tensor


def values(book: Codebook) -> np.ndarray:
    blocks = book.blocks
    codes = np.stack([blocks["codes"] & 15, blocks["codes"] >> 4], axis=-1).reshape(*blocks.shape, 256)
    scales = blocks["d"][..., None] * np.repeat(
        blocks["scales"].astype(np.float32), 256 // blocks["scales"].shape[-1], axis=-1
    )
    return (scales * book.values[codes]).reshape(len(blocks), -1)


@pytest.mark.parametrize(
    ("type", "block"), [*((type, BLOCK) for type in CODEBOOK_TYPES), *((type, BLOCK_OF_32) for type in SCALES_OF_32)]
)
def test_codes_mean_exactly_what_the_gguf_package_reads(type: TensorType, block: np.dtype[np.void]) -> None:
    tensor = random_tensor(type, 60, 1024, np.random.default_rng(4))
    expected = gguf.dequantize(tensor.data, gguf.GGMLQuantizationType[type.value])
    assert np.array_equal(values(codebook(tensor, block)), expected)


@pytest.mark.parametrize("type", CODEBOOK_TYPES)
def test_every_value_fits_the_kernel_s_bytes(type: TensorType) -> None:
    book = codebook(random_tensor(type, 1, 256, np.random.default_rng(4)))
    assert book.values.min() >= -64
    assert book.values.max() <= 63


def test_a_matrix_rewritten_in_parts_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = random_tensor(TensorType.IQ2_XS, 9, 512, np.random.default_rng(4))
    whole = codebook(tensor)
    monkeypatch.setattr(codebooks, "CHUNK_BLOCKS", 5)
    assert np.array_equal(codebook(tensor).blocks, whole.blocks)

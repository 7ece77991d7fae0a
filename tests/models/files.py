"""Small GGUF files for tests, written by the ``gguf`` package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from numpy.typing import NDArray

from mlxr.metal.tensors import BLOCKS, TensorType, row_bytes


def random_blocks(type: TensorType, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random blocks of ``type`` whose float scales are about 0.01, so that their values look like weights."""
    values, size = BLOCKS[type]
    data = rng.integers(0, 256, (rows, columns // values, size), dtype=np.uint8)
    for at, kind in SCALES[type]:
        scale = rng.uniform(0.001, 0.002, data.shape[:2]).astype(kind)
        data[:, :, at : at + scale.dtype.itemsize] = scale[:, :, None].view(np.uint8)
    return data.reshape(rows, row_bytes(type, columns))


SCALES: dict[TensorType, list[tuple[int, str]]] = {
    TensorType.Q4_0: [(0, "<f2")],
    TensorType.Q4_1: [(0, "<f2"), (2, "<f2")],
    TensorType.Q5_0: [(0, "<f2")],
    TensorType.Q5_1: [(0, "<f2"), (2, "<f2")],
    TensorType.Q8_0: [(0, "<f2")],
    TensorType.Q2_K: [(80, "<f2"), (82, "<f2")],
    TensorType.Q3_K: [(108, "<f2")],
    TensorType.Q4_K: [(0, "<f2"), (2, "<f2")],
    TensorType.Q5_K: [(0, "<f2"), (2, "<f2")],
    TensorType.Q6_K: [(208, "<f2")],
    TensorType.Q8_K: [(0, "<f4")],
    TensorType.IQ4_NL: [(0, "<f2")],
    TensorType.IQ4_XS: [(0, "<f2")],
}
"""Where a block's float scales stand."""


def write_small(path: Path) -> Path:
    """A valid file with a value of every kind and three tensors."""
    writer = GGUFWriter(path, "llama")
    writer.add_uint32("a.count", 7)
    writer.add_float32("a.ratio", 0.5)
    writer.add_bool("a.flag", True)
    writer.add_string("a.text", "naïve")
    writer.add_array("a.words", ["one", "two", "três"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_tensor("vector", np.arange(5, dtype=np.float32))
    writer.add_tensor("matrix", np.arange(12, dtype=np.float16).reshape(3, 4))
    blocks = random_blocks(TensorType.Q4_K, 2, 512, np.random.default_rng(1))
    writer.add_tensor("blocks", blocks, raw_dtype=GGMLQuantizationType.Q4_K)
    return finish(writer, path)


def write_llama(
    path: Path,
    type: TensorType = TensorType.Q4_K,
    *,
    layers: int = 2,
    width: int = 256,
    hidden: int = 512,
    heads: int = 4,
    kv_heads: int = 2,
    vocabulary: int = 300,
    extra: dict[str, NDArray[np.float32]] | None = None,
    settings: dict[str, float | int | str] | None = None,
) -> Path:
    """A Llama of random weights, all matrices of ``type``, with an output matrix of its own."""
    rng, writer, kv = np.random.default_rng(7), GGUFWriter(path, "llama"), width // heads * kv_heads
    writer.add_block_count(layers)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    for key, value in (settings or {}).items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[value.__class__]
        add(f"llama.{key}", value)

    def matrix(name: str, rows: int, columns: int) -> None:
        blocks = random_blocks(type, rows, columns, rng)
        writer.add_tensor(name, blocks, raw_dtype=GGMLQuantizationType[type.value])

    def norm(name: str) -> None:
        writer.add_tensor(name, rng.uniform(0.5, 1.5, width).astype(np.float32))

    matrix("token_embd.weight", vocabulary, width)
    matrix("output.weight", vocabulary, width)
    norm("output_norm.weight")
    for layer in range(layers):
        shapes = {"q": (width, width), "k": (kv, width), "v": (kv, width), "output": (width, width)}
        for part, (rows, columns) in shapes.items():
            matrix(f"blk.{layer}.attn_{part}.weight", rows, columns)
        for part, (rows, columns) in {"gate": (hidden, width), "up": (hidden, width), "down": (width, hidden)}.items():
            matrix(f"blk.{layer}.ffn_{part}.weight", rows, columns)
        norm(f"blk.{layer}.attn_norm.weight")
        norm(f"blk.{layer}.ffn_norm.weight")
    for name, values in (extra or {}).items():
        writer.add_tensor(name, values)
    return finish(writer, path)


def finish(writer: GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

"""Small GGUF files for tests, written by the ``gguf`` package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from numpy.typing import NDArray

from mlxr.metal.tensors import BLOCKS, TensorType, row_bytes
from tests.models.architectures.checkpoints_hybrid import add_words


def random_blocks(type: TensorType, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random blocks of ``type``, with float scales that make their values about 0.1, as weights are."""
    values, size = BLOCKS[type]
    data = rng.integers(0, 256, (rows, columns // values, size), dtype=np.uint8)
    for at, kind in SCALES[type]:
        scale = (rng.uniform(0.001, 0.002, data.shape[:2]) / INNER_SCALES.get(type, 1)).astype(kind)
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

INNER_SCALES = {TensorType.Q6_K: 32, TensorType.IQ4_XS: 16, TensorType.Q4_K: 4, TensorType.Q5_K: 8}
"""About how large the whole-number scales within a block are, where they are large."""


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


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a small model. Its file gets ``extra`` tensors, ``settings`` (without the architecture) and ``lists`` too."""

    layers: int = 2
    width: int = 256
    hidden: int = 512
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    vocabulary: int = 300
    tied: bool = False
    context: int = 512
    extra: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    settings: Mapping[str, float | int | str] = field(default_factory=dict)
    lists: Mapping[str, list[str]] = field(default_factory=dict)


BLOCK_NORMS = {
    "llama": ("attn_norm", "ffn_norm"),
    "gemma3": ("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"),
}


def write_model(path: Path, architecture: str, type: TensorType, sizes: Sizes, words: Path | None = None) -> Path:
    """A model of random weights, all matrices of ``type``. ``words``: a file whose tokenizer it gets."""
    writer = header_of(path, architecture, sizes)
    if words is not None:
        add_words(writer, words)
    rng = np.random.default_rng(7)
    for name, (rows, columns) in matrices(sizes).items():
        blocks = random_blocks(type, rows, columns, rng)
        writer.add_tensor(f"{name}.weight", blocks, raw_dtype=GGMLQuantizationType[type.value])
    for name, size in norms(architecture, sizes).items():
        writer.add_tensor(f"{name}.weight", rng.uniform(0.5, 1.5, size).astype(np.float32))
    for name, values in sizes.extra.items():
        writer.add_tensor(name, values)
    return finish(writer, path)


def write_header(path: Path, architecture: str, sizes: Sizes, tensors: Path) -> Path:
    """The metadata of ``sizes``, and the tensors of another file."""
    writer = header_of(path, architecture, sizes)
    for tensor in GGUFReader(tensors).tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    return finish(writer, path)


def write_hollow(path: Path, type: TensorType, sizes: Sizes, words: Path | None = None) -> Path:
    """A model of any size whose tensors have a place in the file, which takes no room on a disk: they read as zeros.
    ``words``: a file whose tokenizer it gets."""
    writer = header_of(path, "llama", sizes)
    if words is not None:
        add_words(writer, words)
    values, size = BLOCKS[type]
    for name, (rows, columns) in matrices(sizes).items():
        kind, nbytes = GGMLQuantizationType[type.value], rows * columns // values * size
        writer.add_tensor_info(f"{name}.weight", (rows, columns // values * size), np.dtype(np.uint8), nbytes, kind)
    for name, columns in norms("llama", sizes).items():
        writer.add_tensor_info(f"{name}.weight", (columns,), np.dtype(np.float32), columns * 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    aligned = [-(-tensor.nbytes // 32) * 32 for part in writer.tensors for tensor in part.values()]
    os.truncate(path, -(-path.stat().st_size // 32) * 32 + sum(aligned))
    return path


def header_of(path: Path, architecture: str, sizes: Sizes) -> GGUFWriter:
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(sizes.layers)
    writer.add_context_length(sizes.context)
    writer.add_embedding_length(sizes.width)
    writer.add_feed_forward_length(sizes.hidden)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.kv_heads)
    writer.add_key_length(sizes.head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    for key, value in sizes.settings.items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[value.__class__]
        add(f"{architecture}.{key}", value)
    for key, words in sizes.lists.items():
        writer.add_array(key, words)
    return writer


def matrices(sizes: Sizes) -> dict[str, tuple[int, int]]:
    queries, keys = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    shapes = {"token_embd": (sizes.vocabulary, sizes.width)}
    if not sizes.tied:
        shapes["output"] = (sizes.vocabulary, sizes.width)
    for layer in range(sizes.layers):
        shapes[f"blk.{layer}.attn_q"] = (queries, sizes.width)
        shapes[f"blk.{layer}.attn_k"] = (keys, sizes.width)
        shapes[f"blk.{layer}.attn_v"] = (keys, sizes.width)
        shapes[f"blk.{layer}.attn_output"] = (sizes.width, queries)
        shapes[f"blk.{layer}.ffn_gate"] = (sizes.hidden, sizes.width)
        shapes[f"blk.{layer}.ffn_up"] = (sizes.hidden, sizes.width)
        shapes[f"blk.{layer}.ffn_down"] = (sizes.width, sizes.hidden)
    return shapes


def norms(architecture: str, sizes: Sizes) -> dict[str, int]:
    lengths = {"output_norm": sizes.width}
    for layer in range(sizes.layers):
        lengths |= {f"blk.{layer}.{norm}": sizes.width for norm in BLOCK_NORMS[architecture]}
        if architecture == "gemma3":
            lengths |= {f"blk.{layer}.attn_q_norm": sizes.head_dim, f"blk.{layer}.attn_k_norm": sizes.head_dim}
    return lengths


def finish(writer: GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

"""A model that computes next to nothing, with a real one's vocabulary and chat template."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader

from mlxr.metal.tensors import TensorType
from tests.models import CACHE, model_path
from tests.models.files import Sizes, finish, header_of, matrices, norms, random_blocks

TYPE = TensorType.Q8_0


NAME = "tiny"
"""What a server knows the model as; no built-in model, for pulling one of those reaches for the network."""


def small_model() -> Path:
    """SmolLM2's text side over one narrow layer of random weights, written once: what a server spends on a request is
    then its own work, not the model's."""
    path = CACHE / "models" / "small" / f"{NAME}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path.with_suffix(f".{os.getpid()}")).replace(path)
    return path


def _write(path: Path) -> Path:
    text_side = [field for name, field in GGUFReader(model_path("smollm2")).fields.items() if "tokenizer." in name]
    vocabulary = next(field for field in text_side if field.name == "tokenizer.ggml.tokens")
    sizes = Sizes(layers=1, width=64, hidden=64, heads=1, kv_heads=1, vocabulary=len(vocabulary.data), tied=True)
    writer, rng = header_of(path, "llama", sizes), np.random.default_rng(7)
    for field in text_side:
        kind, *inner = field.types
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner[0] if inner else None)
    for name, (rows, columns) in matrices(sizes).items():
        blocks = random_blocks(TYPE, rows, columns, rng)
        writer.add_tensor(f"{name}.weight", blocks, raw_dtype=GGMLQuantizationType[TYPE.value])
    for name, size in norms("llama", sizes).items():
        writer.add_tensor(f"{name}.weight", rng.uniform(0.5, 1.5, size).astype(np.float32))
    return finish(writer, path)

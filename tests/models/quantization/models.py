"""Small GGUF models to quantize, and their tensors as the ``gguf`` package reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

WIDTH, HIDDEN, LAYERS, VOCABULARY = 256, 512, 16, 64


def small_model(
    path: Path,
    *,
    layers: int = LAYERS,
    heads: int = 8,
    key_heads: int = 2,
    experts: int = 0,
    tied: bool = False,
    width: int = WIDTH,
    type: GGMLQuantizationType = GGMLQuantizationType.F32,
    seed: int = 0,
) -> Path:
    """A Llama of random weights that any reader takes; ``type``: of its matrices."""
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_context_length(256)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)
    writer.add_tokenizer_model("llama")
    tokens = ["<unk>", "<s>", "</s>", *(chr(0x4E00 + at) for at in range(VOCABULARY - 3))]
    writer.add_token_list(tokens)
    writer.add_bos_token_id(1)
    writer.add_token_scores([-float(i) for i in range(VOCABULARY)])
    writer.add_token_types([2, 3, 3, *[1] * (VOCABULARY - 3)])

    def matrix(name: str, *shape: int) -> None:
        values = (rng.standard_normal(shape) * 0.02).astype(np.float32)
        writer.add_tensor(name, quantize(values, type), raw_dtype=type)

    def vector(name: str) -> None:
        writer.add_tensor(name, rng.uniform(0.9, 1.1, width).astype(np.float32))

    matrix("token_embd.weight", VOCABULARY, width)
    vector("output_norm.weight")
    if not tied:
        matrix("output.weight", VOCABULARY, width)
    for layer in range(layers):
        at = f"blk.{layer}"
        vector(f"{at}.attn_norm.weight")
        vector(f"{at}.ffn_norm.weight")
        keys = width // heads * key_heads
        matrix(f"{at}.attn_q.weight", width, width)
        matrix(f"{at}.attn_k.weight", keys, width)
        matrix(f"{at}.attn_v.weight", keys, width)
        matrix(f"{at}.attn_output.weight", width, width)
        if experts:
            writer.add_tensor(
                f"{at}.ffn_gate_inp.weight", rng.standard_normal((experts, width)).astype(np.float32) * 0.02
            )
            matrix(f"{at}.ffn_gate_exps.weight", experts, HIDDEN, width)
            matrix(f"{at}.ffn_up_exps.weight", experts, HIDDEN, width)
            matrix(f"{at}.ffn_down_exps.weight", experts, width, HIDDEN)
        else:
            matrix(f"{at}.ffn_gate.weight", HIDDEN, width)
            matrix(f"{at}.ffn_up.weight", HIDDEN, width)
            matrix(f"{at}.ffn_down.weight", width, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def types_in(path: Path) -> dict[str, str]:
    """Returns the type of every tensor of a file."""
    return {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(path).tensors}


def values_in(path: Path) -> dict[str, NDArray[np.float32]]:
    """Returns the values of every tensor of a file."""
    return {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(path).tensors}

"""Whole models in NumPy: final hidden states and logits of one sequence, from a GGUF file's dequantized weights.

Weights are dequantized when they are used, so a model needs little more memory than its embedding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlxr.metal.reference.dequantize import dequantize
from mlxr.models.formats.gguf.file import GGUFFile
from tests.oracle.formulas import (
    Array,
    attention,
    gelu_tanh,
    rms_norm,
    rope_angles,
    rope_halves,
    rope_neighbours,
    silu,
)


class Oracle:
    """Reads tensors and hyperparameters of one file; subclasses are the architectures."""

    def __init__(self, path: Path, dtype: type[np.floating] = np.float32) -> None:
        self.file = GGUFFile.open(path)
        self.dtype = dtype
        self.architecture = self.file.metadata["general.architecture"]
        self.embedding = self.tensor("token_embd.weight")

    def tensor(self, name: str) -> Array:
        return dequantize(self.file.tensors[name].read()).astype(self.dtype, copy=False)

    def setting(self, name: str) -> float:
        return self.file.metadata[f"{self.architecture}.{name}"]

    def heads(self, x: Array, name: str, head_dim: int) -> Array:
        return self.linear(x, name).reshape(len(x), -1, head_dim)

    def linear(self, x: Array, name: str) -> Array:
        bias = self.tensor(f"{name}.bias") if f"{name}.bias" in self.file.tensors else 0
        return x @ self.tensor(f"{name}.weight").T + bias

    def logits(self, hidden: Array) -> Array:
        """``[n, vocabulary]`` of hidden states ``[n, width]`` as ``hidden`` returns them."""
        tied = "output.weight" not in self.file.tensors
        return hidden @ (self.embedding if tied else self.tensor("output.weight")).T


class Llama(Oracle):
    def hidden(self, tokens: list[int]) -> Array:
        x = self.embedding[tokens]
        eps = self.setting("attention.layer_norm_rms_epsilon")
        share = x.shape[1] // int(self.setting("attention.head_count"))
        head_dim = self.file.metadata.get("llama.attention.key_length", share)
        angles = rope_angles(len(tokens), head_dim, self.file.metadata.get("llama.rope.freq_base", 10000.0))
        if "rope_freqs.weight" in self.file.tensors:
            angles = angles / self.tensor("rope_freqs.weight")
        window = int(self.file.metadata.get("llama.attention.sliding_window", 0)) or len(tokens)
        scale = self.file.metadata.get("llama.attention.scale", head_dim**-0.5)
        for layer in range(int(self.setting("block_count"))):
            name = f"blk.{layer}"
            n = rms_norm(x, self.tensor(f"{name}.attn_norm.weight"), eps)
            queries = rope_neighbours(self.heads(n, f"{name}.attn_q", head_dim), angles)
            keys = rope_neighbours(self.heads(n, f"{name}.attn_k", head_dim), angles)
            values = self.heads(n, f"{name}.attn_v", head_dim)
            out = attention(queries, keys, values, scale, lambda query, key: (key <= query) & (query - key < window))
            x = x + self.linear(out, f"{name}.attn_output")
            n = rms_norm(x, self.tensor(f"{name}.ffn_norm.weight"), eps)
            gate, up = self.linear(n, f"{name}.ffn_gate"), self.linear(n, f"{name}.ffn_up")
            x = x + self.linear(silu(gate) * up, f"{name}.ffn_down")
        return rms_norm(x, self.tensor("output_norm.weight"), eps)


class Gemma3(Oracle):
    def hidden(self, tokens: list[int]) -> Array:
        x = self.embedding[tokens]
        x = x * self.dtype(np.sqrt(x.shape[1]))
        eps = self.setting("attention.layer_norm_rms_epsilon")
        head_dim, window = int(self.setting("attention.key_length")), int(self.setting("attention.sliding_window"))
        everywhere = rope_angles(len(tokens), head_dim, self.setting("rope.freq_base"))
        nearby = rope_angles(len(tokens), head_dim, 10000.0)
        for layer in range(int(self.setting("block_count"))):
            name, sees_all = f"blk.{layer}", layer % 6 == 5
            angles = everywhere if sees_all else nearby
            reach = len(tokens) if sees_all else window
            n = rms_norm(x, self.tensor(f"{name}.attn_norm.weight"), eps)
            queries = self.heads(n, f"{name}.attn_q", head_dim)
            keys = self.heads(n, f"{name}.attn_k", head_dim)
            values = self.heads(n, f"{name}.attn_v", head_dim)
            queries = rope_halves(rms_norm(queries, self.tensor(f"{name}.attn_q_norm.weight"), eps), angles)
            keys = rope_halves(rms_norm(keys, self.tensor(f"{name}.attn_k_norm.weight"), eps), angles)
            out = attention(
                queries,
                keys,
                values,
                head_dim**-0.5,
                lambda query, key, reach=reach: (key <= query) & (query - key < reach),
            )
            out = out @ self.tensor(f"{name}.attn_output.weight").T
            x = x + rms_norm(out, self.tensor(f"{name}.post_attention_norm.weight"), eps)
            n = rms_norm(x, self.tensor(f"{name}.ffn_norm.weight"), eps)
            gate, up = n @ self.tensor(f"{name}.ffn_gate.weight").T, n @ self.tensor(f"{name}.ffn_up.weight").T
            out = (gelu_tanh(gate) * up) @ self.tensor(f"{name}.ffn_down.weight").T
            x = x + rms_norm(out, self.tensor(f"{name}.post_ffw_norm.weight"), eps)
        return rms_norm(x, self.tensor("output_norm.weight"), eps)


ORACLES = {"llama": Llama, "gemma3": Gemma3}


def oracle(path: Path, dtype: type[np.floating] = np.float32) -> Llama | Gemma3:
    architecture = GGUFFile.open(path).metadata["general.architecture"]
    return ORACLES[architecture](path, dtype)

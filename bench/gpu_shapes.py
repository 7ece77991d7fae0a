"""The shapes that the GPU is measured with, by name: a file of random weights for ours, settings for mlx-lm's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.measure import progress
from bench.random_model import QWEN3_30B_A3B, RandomModel
from mlxr.metal.tensors import TensorType


def q4_k(name: str, layer: int, layers: int) -> TensorType:
    return TensorType.Q4_K


def bf16(name: str, layer: int, layers: int) -> TensorType:
    return TensorType.BF16


@dataclass(frozen=True, slots=True)
class GpuShape:
    """A shape.

    Attributes:
        model: as it is written for ours.
        whole: layers of the published model, of which ``model`` may have fewer.
        theirs: mlx-lm's settings, but for the number of layers, ``model_type`` among them.
        bits: that mlx-lm quantizes to, in groups of 64; 16 for bfloat16.
    """

    model: RandomModel
    whole: int
    theirs: Mapping[str, Any]
    bits: int = 4

    @property
    def layers(self) -> int:
        return int(self.model.settings["block_count"])

    def of_layers(self, layers: int) -> GpuShape:
        """The shape with so many."""
        return replace(self, model=replace(self.model, settings={**self.model.settings, "block_count": layers}))

    def file(self, name: str, folder: Path) -> Path:
        """Its file in ``folder``, written if it is not there."""
        path = folder / f"{name}-{self.layers}.gguf"
        if not path.exists():
            progress(f"writing {path.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.model.write(path.with_suffix(".partial")).replace(path)
        return path


LLAMA = {
    "block_count": 32,
    "context_length": 8192,
    "embedding_length": 4096,
    "feed_forward_length": 14_336,
    "attention.head_count": 32,
    "attention.head_count_kv": 8,
    "attention.key_length": 128,
    "attention.value_length": 128,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "rope.freq_base": 500_000.0,
}
LLAMA_THEIRS = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "vocab_size": 128_256,
    "tie_word_embeddings": False,
}
UNTIED = frozenset({"output.weight"})

EXPERTS = GpuShape(
    RandomModel(
        "qwen3moe",
        {**QWEN3_30B_A3B, "block_count": 24},
        151_936,
        q4_k,
        UNTIED,
    ),
    48,
    {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "norm_topk_prob": True,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "vocab_size": 151_936,
        "tie_word_embeddings": False,
        "max_position_embeddings": 40_960,
    },
)
HYBRID = GpuShape(
    RandomModel(
        "qwen35",
        {
            "block_count": 32,
            "context_length": 262_144,
            "embedding_length": 4096,
            "feed_forward_length": 12_288,
            "attention.head_count": 16,
            "attention.head_count_kv": 4,
            "attention.key_length": 256,
            "attention.value_length": 256,
            "attention.layer_norm_rms_epsilon": 1e-6,
            "full_attention_interval": 4,
            "rope.dimension_count": 64,
            "rope.dimension_sections": [11, 11, 10, 0],
            "rope.freq_base": 1e7,
            "ssm.conv_kernel": 4,
            "ssm.state_size": 128,
            "ssm.group_count": 16,
            "ssm.time_step_rank": 32,
            "ssm.inner_size": 4096,
        },
        248_320,
        q4_k,
        UNTIED,
    ),
    32,
    {
        "model_type": "qwen3_5",
        "hidden_size": 4096,
        "intermediate_size": 12_288,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "linear_num_value_heads": 32,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
        "full_attention_interval": 4,
        "rms_norm_eps": 1e-6,
        "vocab_size": 248_320,
        "tie_word_embeddings": False,
        "rope_parameters": {
            "type": "default",
            "mrope_section": [11, 11, 10],
            "rope_theta": 1e7,
            "partial_rotary_factor": 0.25,
        },
    },
)

SHAPES: dict[str, GpuShape] = {
    "llama-3-8b-q4_k": GpuShape(RandomModel("llama", LLAMA, 128_256, q4_k, UNTIED), 32, LLAMA_THEIRS),
    "llama-3-8b-bf16": GpuShape(RandomModel("llama", LLAMA, 128_256, bf16, UNTIED), 32, LLAMA_THEIRS, 16),
    "qwen3-30b-a3b-q4_k": EXPERTS,
    "hybrid-q4_k": HYBRID,
}
"""From published configurations. Of Qwen3-30B-A3B half of the layers, which a disk has room for; the hybrid is of
Qwen3.5's kind: three layers with the gated delta rule, one with attention."""

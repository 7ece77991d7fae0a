"""Qwen3.5 and its successors (Qwen Team 2026), the language model alone: Qwen3-Next's layers with perceptrons.

llama.cpp's converter sorts value heads so that those of one key head lie ``key_heads`` apart.
"""

from __future__ import annotations

from mlxr.metal.specs import Activation
from mlxr.models.architectures import names
from mlxr.models.architectures.families import qwen3_next
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.sizes import Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=256)
    require_activation(parameters, "silu")
    halves = [sizes.mlp(Activation.SILU)] * sizes.layers
    return qwen3_next.hybrid(parameters, sizes, [*halves], tiled=parameters.format is Format.GGUF)


GGUF_NAMES = {
    **qwen3_next.GGUF_NAMES,
    "delta_beta": "blk.{layer}.ssm_beta.weight",
    "delta_alpha": "blk.{layer}.ssm_alpha.weight",
}
FOLDER_NAMES = {
    **qwen3_next.FOLDER_NAMES,
    "delta_query_key_value": "model.layers.{layer}.linear_attn.in_proj_qkv.weight",
    "delta_gate": "model.layers.{layer}.linear_attn.in_proj_z.weight",
    "delta_beta": "model.layers.{layer}.linear_attn.in_proj_b.weight",
    "delta_alpha": "model.layers.{layer}.linear_attn.in_proj_a.weight",
}
CALLED = ("qwen3_5_text", "qwen3_5")

IN_GGUF = FormatTable(("qwen35",), GGUF_NAMES, qwen3_next.GGUF_LEFTOVERS, drafting=names.GGUF_DRAFTING)
IN_FOLDERS = FormatTable(
    CALLED,
    FOLDER_NAMES,
    qwen3_next.FOLDER_LEFTOVERS,
    norm_offset=1.0,
    drafting=names.QWEN_DRAFTING,
    drafting_place=names.QWEN_DRAFTING_PLACE,
)
IN_MLX = FormatTable(CALLED, FOLDER_NAMES, qwen3_next.FOLDER_LEFTOVERS)
FAMILY = Family("qwen35", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_MLX})

"""Qwen3.5's mixtures of experts (Qwen Team 2026), the language model alone. Folders keep each layer's gates and ups in
one tensor, or every expert's by themselves."""

from __future__ import annotations

from mlxr.models.architectures import names
from mlxr.models.architectures.families import qwen3_5, qwen3_next
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    expert = parameters.positive("expert_feed_forward_length", most=MAX_HIDDEN)
    sizes = Sizes.read(parameters, head_dim=256, experts=True, hidden=expert)
    require_activation(parameters, "silu")
    halves = [qwen3_next.shared_experts(parameters, sizes)] * sizes.layers
    return qwen3_next.hybrid(parameters, sizes, [*halves], tiled=parameters.format is Format.GGUF)


CALLED = ("qwen3_5_moe_text", "qwen3_5_moe")

IN_GGUF = FormatTable(
    ("qwen35moe",),
    {**qwen3_5.GGUF_NAMES, **qwen3_next.GGUF_EXPERT_NAMES},
    qwen3_next.GGUF_LEFTOVERS,
    drafting=names.GGUF_DRAFTING,
)
IN_FOLDERS = FormatTable(
    CALLED,
    {
        **qwen3_5.FOLDER_NAMES,
        **names.HUGGING_FACE_EXPERTS,
        **names.HUGGING_FACE_GATED_EXPERT,
        "experts_gate_up": "model.layers.{layer}.mlp.experts.gate_up_proj",
        "experts_down_together": "model.layers.{layer}.mlp.experts.down_proj",
    },
    qwen3_next.FOLDER_LEFTOVERS,
    norm_offset=1.0,
    drafting=names.QWEN_DRAFTING,
    drafting_place=names.QWEN_DRAFTING_PLACE,
)
IN_MLX = FormatTable(
    CALLED,
    {**qwen3_5.FOLDER_NAMES, **names.HUGGING_FACE_EXPERTS, **names.MLX_EXPERTS, **names.HUGGING_FACE_GATED_EXPERT},
    qwen3_next.FOLDER_LEFTOVERS,
)
FAMILY = Family("qwen35moe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_MLX})

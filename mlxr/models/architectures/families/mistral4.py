"""Mistral 4 (Mistral AI 2026): latent attention and experts like DeepSeek's, these chosen by a softmax and kept in one
tensor; queries grow with their position."""

from __future__ import annotations

from mlxr.models.architectures import names
from mlxr.models.architectures.families.deepseek2 import IN_GGUF as DEEPSEEK
from mlxr.models.architectures.families.deepseek2 import NOTES, read
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.hyperparameters import Format

IN_GGUF = FormatTable(("mistral4",), DEEPSEEK.names, DEEPSEEK.leftovers)
IN_FOLDERS = FormatTable(
    ("mistral4",),
    {
        **names.HUGGING_FACE,
        **names.MLX_LATENT_ATTENTION,
        **names.HUGGING_FACE_SHARED_EXPERT,
        **names.MLX_EXPERTS,
        "router": "model.layers.{layer}.mlp.gate.weight",
        "experts_gate": "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight",
        "experts_up": "model.layers.{layer}.mlp.experts.{expert}.up_proj.weight",
        "experts_gate_up": "model.layers.{layer}.mlp.experts.gate_up_proj",
        "experts_down": "model.layers.{layer}.mlp.experts.down_proj",
    },
    NOTES,
)
FAMILY = Family("mistral4", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

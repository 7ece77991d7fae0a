"""DeepSeek-V3.2 (DeepSeek-AI 2025) and GLM-5 (Zhipu 2026): DeepSeek-V3's layers, each of which has an indexer that
chooses what attention reads of a long context. Up to as many tokens as it chooses, all are read, and the two are one:
that many are the context here."""

from __future__ import annotations

from dataclasses import replace

from mlxr.models.architectures.families import deepseek2
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    spec = deepseek2.read(parameters, weights)
    chosen = parameters.positive("attention.indexer.top_k")
    return replace(spec, context_length=min(spec.context_length, chosen))


UNREAD = "they choose what attention reads beyond the context that mlxr takes, within which it reads everything"
"""Why the indexers' tensors are left out."""

IN_GGUF = FormatTable(
    ("deepseek32", "glm-dsa"),
    deepseek2.IN_GGUF.names,
    deepseek2.IN_GGUF.leftovers.extended(
        tensors={r"blk\.\d+\.indexer\..*": UNREAD}, settings={r"attention\.indexer\..*": UNREAD}
    ),
)
IN_FOLDERS = FormatTable(
    ("deepseek_v32", "glm_moe_dsa"),
    deepseek2.IN_FOLDERS_NAMES,
    deepseek2.NOTES.extended(
        tensors={r"model\.layers\.\d+\.self_attn\.indexer\..*": UNREAD},
        settings={r"index(er)?_.*|layer_types(\.\d+)?": UNREAD},
    ),
)
FAMILY = Family(
    "deepseek32",
    read,
    {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS},
    written=False,
)

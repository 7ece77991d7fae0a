"""Hunyuan's mixtures of experts (Tencent 2025): Hunyuan's attention, and experts beside some that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families import hunyuan
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    if parameters.format is not Format.GGUF:
        count, used, hidden, shared = (
            _same(parameters, key, default)
            for key, default in (
                ("num_experts", None),
                ("moe_topk", None),
                ("moe_intermediate_size", sizes.hidden),
                ("num_shared_expert", 1),
            )
        )
        counts = {"num_experts": count, "num_experts_per_tok": used, "moe_intermediate_size": hidden}
        values = {**parameters.values, **counts}
        given = Hyperparameters(parameters.path, values, format=parameters.format, keys=config_json.KEYS)
        experts = sizes.experts(given, Activation.SILU, normalized=True, hidden=hidden)
        experts = replace(experts, hidden=hidden, shared_hidden=shared * hidden)
    else:
        parameters.integer("expert_shared_count", 1)
        experts = sizes.experts(parameters, Activation.SILU, normalized=True)
        shared = parameters.positive("expert_shared_feed_forward_length", most=MAX_HIDDEN)
        experts = replace(experts, shared_hidden=shared)
    return hunyuan.decoder(parameters, sizes, experts)


def _same(parameters: Hyperparameters, key: str, default: int | None) -> int:
    """Returns a number that a folder may have for each layer. Raises ``UnsupportedModelError`` where they differ."""
    if not parameters.is_list(key):
        return parameters.positive(key, default, MAX_HIDDEN)
    listed = parameters.integers(key) or [0]
    if len(set(listed)) != 1 or not 0 < listed[0] <= MAX_HIDDEN:
        raise UnsupportedModelError(parameters.path, f"has layers that differ in {key}; mlxr runs equal ones")
    return listed[0]


IN_GGUF = FormatTable(
    ("hunyuan-moe",),
    {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT},
    hunyuan.GGUF_LEFTOVERS,
)
IN_FOLDERS = FormatTable(
    ("hunyuan_v1_moe",),
    {
        **hunyuan.FOLDER_NAMES,
        **names.HUGGING_FACE_EXPERTS,
        "router": f"{hunyuan.LAYER}.mlp.gate.wg.weight",
        **names.shared_expert(f"{hunyuan.LAYER}.mlp.shared_mlp"),
        **names.MLX_EXPERTS,
    },
    hunyuan.FOLDER_LEFTOVERS,
)
FAMILY = Family("hunyuan-moe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

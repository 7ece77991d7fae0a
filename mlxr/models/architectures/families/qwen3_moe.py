"""Qwen3's mixtures of experts (Yang et al. 2025): Qwen3's attention, experts in place of the perceptron."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import expert_layers, windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    scale, norms, mlp = scale_of(parameters, sizes.head_dim), Norms(heads=True), sizes.mlp(Activation.SILU)
    experts = sizes.experts(parameters, Activation.SILU, normalized=parameters.format is Format.GGUF)
    sparse, back = expert_layers(parameters, sizes.layers), windows(parameters, sizes, used=False)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope, scale, window), experts if has else mlp, norms)
            for has, window in zip(sparse, back, strict=True)
        ]
    )


IN_GGUF = FormatTable(("qwen3moe",), {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_EXPERTS}, GGUF)
IN_FOLDERS = FormatTable(
    ("qwen3_moe",),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_HEAD_NORMS, **names.HUGGING_FACE_EXPERTS, **names.MLX_EXPERTS},
    config_json.LEFTOVERS,
)
FAMILY = Family("qwen3moe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

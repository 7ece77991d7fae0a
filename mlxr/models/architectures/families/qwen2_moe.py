"""Qwen1.5's and Qwen2's mixtures of experts (Yang et al. 2024): Qwen2's attention, experts in place of the perceptron,
and one that every token uses as far as a gate of its own lets it."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import expert_layers, windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import with_shared
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    experts = with_shared(parameters, sizes.experts(parameters, Activation.SILU, normalized=False), sizes.hidden)
    biases = QKV_BIASES if parameters.flag("qkv_bias", True) else frozenset()
    sparse, back = expert_layers(parameters, sizes.layers), windows(parameters, sizes, used=False)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope, scale, window), experts if has else mlp, biases=biases)
            for has, window in zip(sparse, back, strict=True)
        ]
    )


IN_GGUF = FormatTable(
    ("qwen2moe",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        **names.GGUF_EXPERTS,
        **names.GGUF_GATED_EXPERT,
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("qwen2_moe",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        **names.HUGGING_FACE_EXPERTS,
        **names.MLX_EXPERTS,
        **names.HUGGING_FACE_GATED_EXPERT,
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("qwen2moe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

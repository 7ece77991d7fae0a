"""StableLM and StableLM 2 (Stability AI 2023, 2024): Llama's shape with layer norms and a rope on part of each head."""

from __future__ import annotations

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

BIASES = frozenset({"attention_norm_bias", "feed_forward_norm_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, partial_rope(parameters, sizes, 0.25), RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    biases = BIASES | (QKV_BIASES if parameters.flag("use_qkv_bias", False) else frozenset())
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU), biases=biases)] * sizes.layers)


IN_GGUF = FormatTable(("stablelm",), {**names.GGUF, **names.GGUF_NORM_BIASES, **names.GGUF_ATTENTION_BIASES}, GGUF)
IN_FOLDERS = FormatTable(
    ("stablelm",),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_NORM_BIASES, **names.HUGGING_FACE_ATTENTION_BIASES},
    config_json.LEFTOVERS.extended(
        neutral={
            "qk_layernorm": (False,),
            "use_parallel_residual": (False,),
        }
    ),
)
FAMILY = Family("stablelm", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

"""Seed-OSS (ByteDance 2025): Llama's shape with biases on queries, keys and values."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

OUTPUT_BIAS = frozenset({"output_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    biases = QKV_BIASES if parameters.flag("attention_bias", True) else frozenset()
    biases |= OUTPUT_BIAS if parameters.flag("attention_out_bias", False) else frozenset()
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU), biases=biases)] * sizes.layers)


IN_GGUF = FormatTable(
    ("seed_oss",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        "output_bias": "blk.{layer}.attn_output.bias",
        "feed_forward_norm": "blk.{layer}.post_attention_norm.weight",
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("seed_oss",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "output_bias": "model.layers.{layer}.self_attn.o_proj.bias",
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("seed_oss", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

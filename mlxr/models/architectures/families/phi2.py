"""Phi-1, Phi-1.5 and Phi-2 (Microsoft 2023): halves that read the same layer norm of their layer's input, a rope on
part of each head, biases everywhere."""

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

BIASES = QKV_BIASES | {"output_bias", "up_bias", "down_bias", "attention_norm_bias", "feed_forward_norm_bias"}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER)
    require_activation(parameters, "gelu_new", "gelu_pytorch_tanh")
    rope = model_rope(parameters, partial_rope(parameters, sizes, 0.5), RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    layer = LayerSpec(attention, sizes.mlp(Activation.GELU_TANH, gated=False), biases=BIASES, parallel=True)
    return sizes.decoder([layer] * sizes.layers)


IN_GGUF = FormatTable(
    ("phi2",),
    {
        **names.GGUF,
        **names.GGUF_NORM_BIASES,
        **names.GGUF_ATTENTION_BIASES,
        "head_bias": "output.bias",
        "output_bias": "blk.{layer}.attn_output.bias",
        **names.GGUF_MLP_BIASES,
        **names.one_norm("blk.{layer}.attn_norm"),
    },
    GGUF,
)
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("phi",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_NORM_BIASES,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "norm": "model.final_layernorm.weight",
        "norm_bias": "model.final_layernorm.bias",
        "head_bias": "lm_head.bias",
        "output": f"{LAYER}.self_attn.dense.weight",
        "output_bias": f"{LAYER}.self_attn.dense.bias",
        "up": f"{LAYER}.mlp.fc1.weight",
        "up_bias": f"{LAYER}.mlp.fc1.bias",
        "down": f"{LAYER}.mlp.fc2.weight",
        "down_bias": f"{LAYER}.mlp.fc2.bias",
        **names.one_norm(f"{LAYER}.input_layernorm"),
    },
    config_json.LEFTOVERS.extended(neutral={"qk_layernorm": (False,)}),
)
FAMILY = Family("phi2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

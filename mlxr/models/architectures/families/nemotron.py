"""Nemotron-4 and Minitron (NVIDIA 2024): layer norms whose weights are stored as their distance from 1, a rope on half
of each head, and a perceptron without a gate."""

from __future__ import annotations

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

BIASES = frozenset({"attention_norm_bias", "feed_forward_norm_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER)
    require_activation(parameters, "relu2")
    rope = model_rope(parameters, partial_rope(parameters, sizes, 0.5), RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    mlp = sizes.mlp(Activation.RELU_SQUARED, gated=False)
    return sizes.decoder([LayerSpec(attention, mlp, biases=BIASES)] * sizes.layers)


IN_GGUF = FormatTable(("nemotron",), {**names.GGUF, **names.GGUF_NORM_BIASES}, GGUF)
IN_FOLDERS = FormatTable(
    ("nemotron",),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_NORM_BIASES},
    config_json.LEFTOVERS,
    norm_offset=1.0,
)
FAMILY = Family("nemotron", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

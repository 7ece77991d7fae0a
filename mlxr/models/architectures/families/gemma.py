"""Gemma (Gemma Team 2024): Llama's shape with a GELU gate, embeddings times the root of their width, and norms whose
weights are stored as their distance from 1, but for GGUF's."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=256)
    # The first files name an activation that the models were not trained with, and mean the other one.
    require_activation(parameters, "gelu_pytorch_tanh", "gelu")
    require_activation(parameters, "gelu_pytorch_tanh", key="hidden_activation")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    layer = LayerSpec(attention, sizes.mlp(Activation.GELU_TANH))
    return sizes.decoder([layer] * sizes.layers, sizes.width**0.5)


IN_GGUF = FormatTable(("gemma",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(("gemma",), names.HUGGING_FACE, config_json.LEFTOVERS, norm_offset=1.0)
FAMILY = Family("gemma", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

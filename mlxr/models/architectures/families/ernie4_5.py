"""Ernie 4.5 (Baidu 2025), the dense models: Llama's shape, where neighbours turn together in every format."""

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
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    rope = model_rope(
        parameters, sizes.rope_dims, RopeStyle.NORMAL, default_base=500_000.0, in_folders=RopeStyle.NORMAL
    )
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU))] * sizes.layers)


IN_GGUF = FormatTable(("ernie4_5",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(("ernie4_5",), names.HUGGING_FACE, config_json.LEFTOVERS)
FAMILY = Family("ernie4_5", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

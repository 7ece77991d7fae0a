"""AFM-4.5B (Arcee 2025): Llama's shape with a perceptron that has no gate."""

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
    require_activation(parameters, "relu2")
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL, factors)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    layer = LayerSpec(attention, sizes.mlp(Activation.RELU_SQUARED, gated=False))
    return sizes.decoder([layer] * sizes.layers)


IN_GGUF = FormatTable(("arcee",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(("arcee",), names.HUGGING_FACE, config_json.LEFTOVERS)
FAMILY = Family(
    "arcee", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, reordered=True
)

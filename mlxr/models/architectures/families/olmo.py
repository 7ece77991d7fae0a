"""OLMo 1 (Ai2 2024): Llama's shape with layer norms that have no weights."""

from __future__ import annotations

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import WITHOUT_WEIGHTS, FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

NORM_EPS = 1e-5
WITHOUT_NORMS = dict.fromkeys(("norm", "attention_norm", "feed_forward_norm"), WITHOUT_WEIGHTS)


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER, norm_eps=NORM_EPS)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU))] * sizes.layers)


IN_GGUF = FormatTable(("olmo",), {**names.GGUF, **WITHOUT_NORMS}, GGUF)
IN_FOLDERS = FormatTable(("olmo",), {**names.HUGGING_FACE, **WITHOUT_NORMS}, config_json.LEFTOVERS)
FAMILY = Family("olmo", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS}, reordered=True)

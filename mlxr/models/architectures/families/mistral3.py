"""Mistral Small 3 and Ministral 3 (Mistral AI 2025), also where they look at images: Llama's shape, in which queries of
Ministral grow with their position beyond the context that its rope was stretched from."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of, temperature_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

LANGUAGE_MODELS = ("ministral3", "mistral", "mistral3")
"""What ``text_config`` calls the language model; the last where a folder has no other name for it."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    inner = parameters.text("model_type", "ministral3") if parameters.format is not Format.GGUF else "ministral3"
    if inner not in LANGUAGE_MODELS:
        raise UnsupportedModelError(
            parameters.path, f"has a language model of the kind {inner[:60]!r}; mlxr knows {', '.join(LANGUAGE_MODELS)}"
        )
    sizes = Sizes.read(parameters, head_dim=128)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    scale, temperature = scale_of(parameters, sizes.head_dim), temperature_of(parameters)
    attentions = [sizes.attention(rope, scale, window) for window in windows(parameters, sizes)]
    mlp = sizes.mlp(Activation.SILU)
    return sizes.decoder([LayerSpec(replace(one, temperature=temperature), mlp) for one in attentions])


IN_GGUF = FormatTable(("mistral3",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(("ministral3", "mistral3"), names.HUGGING_FACE, config_json.LANGUAGE_LEFTOVERS)
FAMILY = Family(
    "mistral3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, reordered=True
)

"""SmolLM3 (Hugging Face 2025): Llama's shape, with a rope on three layers of four."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import turning_layers, windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

INTERVAL = 4
"""Every so many-th layer has no rope."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    turning = turning_layers(parameters, sizes.layers, INTERVAL)
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope if turns else None, scale, window), mlp)
            for turns, window in zip(turning, windows(parameters, sizes, used=False), strict=True)
        ]
    )


IN_GGUF = FormatTable(("smollm3",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(("smollm3",), names.HUGGING_FACE, config_json.LEFTOVERS)
FAMILY = Family(
    "smollm3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, reordered=True
)

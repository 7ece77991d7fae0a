"""EXAONE 4 (LG AI Research 2025): norms behind each half alone and on every query and key head; where there are
windows, layers that see everything have no rope."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import patterned_windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer sees everything, where a folder does not list layers."""

NORMS = Norms(before=False, after=True, heads=True)


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, factors)
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    windows = patterned_windows(parameters, sizes, PATTERN)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope if window or not any(windows) else None, scale, window), mlp, NORMS)
            for window in windows
        ]
    )


IN_GGUF = FormatTable(("exaone4",), {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_POST_NORMS}, GGUF)
IN_FOLDERS = FormatTable(
    ("exaone4",),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_HEAD_NORMS, **names.HUGGING_FACE_GEMMA_NORMS},
    config_json.LEFTOVERS,
)
FAMILY = Family("exaone4", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

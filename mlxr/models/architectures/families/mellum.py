"""Mellum 2 (JetBrains 2026): Qwen3's mixtures of experts with windows, whose layers have a rope of their own."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import patterned_windows, sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer sees everything, where a file does not say."""

BASE = 500_000.0


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128, experts=True)
    require_activation(parameters, "silu")
    whole = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, None, BASE, "full_attention")
    if parameters.format is Format.GGUF:
        near = window_rope(parameters, sizes.rope_dims, parameters.positive_number("rope.freq_base", BASE))
    else:
        near = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, None, 10000.0, "sliding_attention")
    scale, norms, mlp = scale_of(parameters, sizes.head_dim), Norms(heads=True), sizes.mlp(Activation.SILU)
    experts = sizes.experts(parameters, Activation.SILU, normalized=True)
    sparse, back = sparse_layers(parameters, sizes.layers, 0), patterned_windows(parameters, sizes, PATTERN)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(near if window else whole, scale, window), experts if has else mlp, norms)
            for has, window in zip(sparse, back, strict=True)
        ]
    )


IN_GGUF = FormatTable(("mellum",), {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_EXPERTS}, GGUF)
IN_FOLDERS = FormatTable(
    ("mellum",),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_HEAD_NORMS, **names.HUGGING_FACE_EXPERTS, **names.MLX_EXPERTS},
    config_json.DRAFTING_LEFTOVERS,
)
FAMILY = Family("mellum", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

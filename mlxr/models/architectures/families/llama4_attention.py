"""Attention of Llama 4's layers: three of four have a rope, and a window that begins at multiples of its size; the
fourth sees everything, without a rope, and its queries grow with their position."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import AttentionSpec, RopeStyle, Temperature
from mlxr.models.architectures.layer_kinds import turning_layers
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, scale_of
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

INTERVAL = 4
"""Every so many-th layer has no rope."""

CHUNK = 8192
WARM = Temperature(0.1, 8192, 1)
"""What GGUF files leave unsaid."""


def turns_of(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have a rope. Raises ``UnsupportedModelError`` where those alone do not have the window."""
    turns = turning_layers(parameters, layers, INTERVAL)
    kinds = parameters.texts("layer_types")
    if kinds is not None and kinds != ["chunked_attention" if turn else "full_attention" for turn in turns]:
        raise UnsupportedModelError(parameters.path, "has layer_types other than its layers with ropes tell")
    return turns


def attentions_of(parameters: Hyperparameters, weights: Weights, sizes: Sizes) -> dict[bool, AttentionSpec]:
    """Returns the attention of layers with a rope and of those without."""
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL, factors, 500_000.0, in_folders=RopeStyle.NORMAL)
    scale, warm, chunk = scale_of(parameters, sizes.head_dim), WARM, CHUNK
    if parameters.format is not Format.GGUF:
        chunk = parameters.integer("attention_chunk_size", 0)
        warm = Temperature(parameters.number("attn_scale", 0.1), parameters.positive("floor_scale", 8192), 1)
    elif parameters.integer("attention.sliding_window", CHUNK) == 0:
        return dict.fromkeys((True, False), sizes.attention(rope, scale))
    near = replace(sizes.attention(rope, scale, max(0, chunk)), chunked=chunk > 0, rope_first=True)
    tuned = parameters.flag("attn_temperature_tuning", True)
    return {True: near, False: replace(sizes.attention(None, scale), temperature=warm if tuned else None)}

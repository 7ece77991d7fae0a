"""Attention of Gemma 4's layers: with a window or not, with heads and a rope of its kind, and with keys and values of
its own or of an earlier layer."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import AttentionSpec, Rope, RopeStyle
from mlxr.models.architectures.families.gemma4_heads import Heads, heads_of
from mlxr.models.architectures.layer_kinds import all_but_every, kv_sources, listed_windows
from mlxr.models.architectures.rope import plain_rope, rope_from, window_rope
from mlxr.models.architectures.rope_config import rope_of_config
from mlxr.models.architectures.rope_frequencies import made_rope, proportional
from mlxr.models.architectures.sizes import Sizes
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 6
"""Every so many-th layer sees everything where a file does not say."""

BASE, NEAR_BASE = 1_000_000.0, 10_000.0
ROTATED = 0.25
"""Ropes where a file does not say: bases of layers that see everything and of those with a window, and the share of a
head's pairs that the former turn."""


def attentions_of(parameters: Hyperparameters, weights: Weights, sizes: Sizes) -> list[AttentionSpec]:
    """Returns each layer's. Its ``kv_layer`` is the one whose keys and values it reads, None for its own."""
    slides = listed_windows(parameters, sizes.layers) or all_but_every(PATTERN, sizes.layers)
    sources = kv_sources(parameters, slides, parameters.integer("attention.shared_kv_layers", 0))
    heads = heads_of(parameters, sizes, slides)
    _require_shared_heads(parameters, heads, sources)
    ropes = _ropes(parameters, weights, heads, slides)
    window, scale = parameters.positive("attention.sliding_window"), parameters.number("attention.scale", 1.0)
    equal = parameters.flag("attention_k_eq_v", False)
    found = []
    for number, (slide, own, source) in enumerate(zip(slides, heads, sources, strict=True)):
        keyed = equal if parameters.format is not Format.GGUF else f"blk.{number}.attn_v.weight" not in weights
        same = keyed and not slide and source is None
        held = replace(sizes, kv_heads=own.kv_heads, head_dim=own.head_dim)
        attention = held.attention(ropes[slide], scale, window if slide else 0)
        found.append(replace(attention, norm_values=True, values_are_keys=same, kv_layer=source))
    return found


def _require_shared_heads(parameters: Hyperparameters, heads: list[Heads], sources: list[int | None]) -> None:
    """Raises ``ModelFileError`` where a layer would read keys and values of one that has others than its own."""
    for number, source in enumerate(sources):
        if source is not None and heads[source] != heads[number]:
            raise parameters.error(f"lets layer {number} read keys of layer {source}, which has others")


def _ropes(parameters: Hyperparameters, weights: Weights, heads: list[Heads], slides: list[bool]) -> dict[bool, Rope]:
    """Returns the ropes of layers with a window and of those that see everything."""
    ropes: dict[bool, Rope] = {}
    for slide in set(slides):
        first, *others = {own.head_dim for own, kind in zip(heads, slides, strict=True) if kind is slide}
        if others:
            raise UnsupportedModelError(parameters.path, "has heads of different lengths in layers of one kind")
        ropes[slide] = _rope(parameters, weights, first, slide)
    return ropes


def _rope(parameters: Hyperparameters, weights: Weights, dims: int, slides: bool) -> Rope:
    if parameters.format is Format.GGUF:
        if slides:
            return window_rope(parameters, dims, NEAR_BASE)
        # Pairs that do not turn have a factor of 1e30.
        factors = weights.optional_values("rope_freqs.weight", dims // 2)
        return rope_from(parameters, RopeStyle.NEOX, dims, factors, BASE)
    kind = "sliding_attention" if slides else "full_attention"
    if f"rope_parameters.{kind}.rope_type" in parameters:
        return rope_of_config(parameters, dims, NEAR_BASE if slides else BASE, kind)
    return plain_rope(dims, NEAR_BASE) if slides else made_rope(RopeStyle.NEOX, proportional(dims, BASE, ROTATED))

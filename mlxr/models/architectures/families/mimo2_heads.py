"""Heads and ropes of MiMo V2's two kinds of layers, with a window and without, as files of either format tell them."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.metal.specs import Rope, RopeStyle
from mlxr.models.architectures.heads import require_even_heads, rope_share, turned_dims
from mlxr.models.architectures.layer_kinds import all_but_every, sliding_layers
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, Sizes
from mlxr.models.hyperparameters import Format, Hyperparameters

SHARE = 0.334
"""Of a head, how much the rope turns where a folder does not say."""

PATTERN = 6
"""Every so many-th layer, and the first, sees everything where a folder does not say."""

BASE, NEAR_BASE = 5_000_000.0, 10_000.0


@dataclass(frozen=True, slots=True)
class Heads:
    """``kv_heads``: of each layer; ``slides``: whether it has a window."""

    head_dim: int
    value_dim: int
    kv_heads: list[int]
    slides: list[bool]


def heads_of(parameters: Hyperparameters, sizes: Sizes) -> Heads:
    """Returns them. Raises ``ModelFileError`` for values that are longer than keys, and for key heads that query heads
    can't share, or none."""
    in_gguf = parameters.format is Format.GGUF
    heads = _heads_in_gguf(parameters, sizes) if in_gguf else _heads_in_folder(parameters, sizes)
    if heads.value_dim > heads.head_dim or min(heads.kv_heads, default=1) < 1:
        found = f"keys of {heads.head_dim} numbers a head and values of {heads.value_dim}"
        raise parameters.error(f"has {found}; values are no longer than keys, of 1 head or more")
    for count in heads.kv_heads:
        require_even_heads(parameters, sizes.heads, count)
    return heads


def _heads_in_gguf(parameters: Hyperparameters, sizes: Sizes) -> Heads:
    size = parameters.positive("attention.key_length", most=MAX_HEAD_DIM)
    values = parameters.positive("attention.value_length", size, MAX_HEAD_DIM)
    slides = parameters.flags("attention.sliding_window_pattern", parameters.positive("block_count"))
    kv_heads = parameters.each("attention.head_count_kv", sizes.layers)
    return Heads(size, values, kv_heads, (slides or [False] * sizes.layers)[: sizes.layers])


def _heads_in_folder(parameters: Hyperparameters, sizes: Sizes) -> Heads:
    size = parameters.positive("attention.key_length", 192, MAX_HEAD_DIM)
    values = parameters.positive("v_head_dim", 128, MAX_HEAD_DIM)
    listed = sliding_layers(parameters, sizes.layers)
    slides = parameters.flags("hybrid_layer_pattern", sizes.layers) or listed
    if slides is None:
        slides = [False, *all_but_every(PATTERN, sizes.layers)[1:]]
    count = parameters.positive("attention.head_count_kv", most=MAX_HEADS)
    near = parameters.positive("swa_num_key_value_heads", 2 * count, MAX_HEADS)
    for key, wanted in (("swa_head_dim", size), ("swa_v_head_dim", values), ("swa_num_attention_heads", sizes.heads)):
        if (found := parameters.positive(key, wanted)) != wanted:
            raise parameters.error(f"has {key} {found}, and {wanted} in layers that see everything")
    return Heads(size, values, [near if slide else count for slide in slides], slides)


def ropes_of(parameters: Hyperparameters, head_dim: int) -> tuple[Rope, Rope]:
    """Returns the rope of layers that see everything, and that of the others."""
    kinds = "full_attention", "sliding_attention"
    if parameters.format is Format.GGUF:
        dims = near = parameters.positive("rope.dimension_count", head_dim, head_dim)
    else:
        dims, near = (turned_dims(parameters, head_dim, rope_share(parameters, SHARE, kind)) for kind in kinds)
    whole = model_rope(parameters, dims, RopeStyle.NEOX, None, BASE, kinds[0])
    return whole, window_rope(parameters, near, NEAR_BASE)

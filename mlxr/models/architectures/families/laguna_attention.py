"""What Laguna's layers attend with, as files of either format tell it: heads, gates, windows, and the ropes of both
kinds of layers."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import AttentionSpec, Gate, Rope, RopeStyle
from mlxr.models.architectures.heads import require_even_heads, rope_share, turned_dims
from mlxr.models.architectures.layer_kinds import all_but_first_of, sliding_layers
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.rope_config import describes_ropes, lacks_rope_of
from mlxr.models.architectures.sizes import MAX_HEADS, Sizes
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

WINDOW, PATTERN = 512, 4
WHOLE, NEAR = "full_attention", "sliding_attention"
BASE = {WHOLE: 500_000.0, NEAR: 10_000.0}
SHARE = {WHOLE: 0.5, NEAR: 1.0}
"""A rope's base and how much of a head it turns, where a folder describes no ropes."""

GATES = {"per-head": True, "per_head": True, "per-element": False, "per_element": False}


def query_heads(parameters: Hyperparameters, layers: int) -> list[int]:
    """Returns how many each layer has."""
    if parameters.format is Format.GGUF:
        return parameters.positives("attention.head_count", layers, most=MAX_HEADS)
    count = parameters.positive("attention.head_count", most=MAX_HEADS)
    return parameters.positives("num_attention_heads_per_layer", layers, count, MAX_HEADS)


def attentions(parameters: Hyperparameters, weights: Weights, sizes: Sizes, heads_of: list[int]) -> list[AttentionSpec]:
    """Returns each layer's attention, ``heads_of`` being how many query heads it has."""
    slides = _slides(parameters, sizes.layers)
    whole = _rope(parameters, sizes, WHOLE, used=not all(slides))
    near = _rope(parameters, sizes, NEAR, used=any(slides))
    window = parameters.positive("attention.sliding_window", WINDOW) if any(slides) else 0
    made = []
    for number, (heads, slide) in enumerate(zip(heads_of, slides, strict=True)):
        require_even_heads(parameters, heads, sizes.kv_heads)
        rope, sees = (near, window) if slide else (whole, 0)
        attention = replace(sizes, heads=heads).attention(rope, sizes.head_dim**-0.5, sees)
        gates = _gates_heads(parameters, weights, number, heads)
        made.append(replace(attention, gate=Gate.SOFTPLUS, head_gates=gates))
    return made


def _gates_heads(parameters: Hyperparameters, weights: Weights, layer: int, heads: int) -> bool:
    """Returns whether a layer has one gate a head: a GGUF file's tensor tells, a folder says so."""
    if parameters.format is Format.GGUF:
        tensor = weights.tensors.get(f"blk.{layer}.attn_gate.weight")
        return tensor is not None and tensor.shape[0] == heads
    kinds = parameters.texts("gating_types")
    if kinds is not None or isinstance(parameters.values.get("gating"), str):
        gating = parameters.text("gating", "per-head") if kinds is None else (kinds[layer : layer + 1] or [""])[0]
        if gating not in GATES:
            reason = f"gates attention {gating[:60]!r}; mlxr knows per-head and per-element"
            raise UnsupportedModelError(parameters.path, reason)
        return GATES[gating]
    if not parameters.flag("gating", True):
        raise UnsupportedModelError(parameters.path, "has attention without gates; mlxr knows Laguna with gates alone")
    return True


def _slides(parameters: Hyperparameters, layers: int) -> list[bool]:
    if parameters.format is not Format.GGUF:
        return sliding_layers(parameters, layers) or [False] * layers
    if not parameters.integer("attention.sliding_window", 0):
        return [False] * layers
    listed = parameters.is_list("attention.sliding_window_pattern")
    flags = parameters.flags("attention.sliding_window_pattern", layers) if listed else None
    return flags or all_but_first_of(PATTERN, layers)


def _rope(parameters: Hyperparameters, sizes: Sizes, kind: str, used: bool) -> Rope:
    """Returns the rope of layers of a kind. Raises ``UnsupportedModelError`` where a folder describes ropes, but none
    for them, and there are such: of what windows then have each program makes something else."""
    if parameters.format is Format.GGUF:
        if kind == WHOLE:
            return model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
        base = parameters.positive_number("rope.freq_base", BASE[NEAR])
        return window_rope(parameters, sizes.rope_dims, base, most=sizes.head_dim)
    if used and lacks_rope_of(parameters, kind, shared=kind == WHOLE):
        reason = f"describes a rope, but none for layers of the kind {kind!r}"
        raise UnsupportedModelError(parameters.path, reason)
    share = SHARE[kind]
    if kind == WHOLE or describes_ropes(parameters):
        share = rope_share(parameters, 1.0 if describes_ropes(parameters) else share, kind)
    dims = turned_dims(parameters, sizes.head_dim, share)
    return model_rope(parameters, dims, RopeStyle.NEOX, None, BASE[kind], kind)

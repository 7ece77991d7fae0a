"""Laguna (Poolside 2026): windows between layers that see everything, each kind with a rope and a number of query heads
of its own; norms and softplus gates on heads; dense layers, then experts whose scores are sigmoids beside one that
every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, AttentionSpec, Gate, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.heads import require_equal_values, require_even_heads, turned_dims
from mlxr.models.architectures.layer_kinds import dense_first, expert_layers, sliding_layers, sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope, plain_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN, MAX_LAYERS, Sizes, require_activation
from mlxr.models.architectures.spec import CHOICE_BIAS, QKV_BIASES, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

HEAD_DIM, WINDOW, PATTERN = 128, 512, 4
WHOLE, NEAR = "full_attention", "sliding_attention"
BASE = {WHOLE: 500_000.0, NEAR: 10_000.0}
SHARE = {WHOLE: 0.5, NEAR: 1.0}
"""A rope's base and how much of a head it turns, where a folder describes no ropes."""

OF_ALL = "rope_type", "type", "rope_theta"
"""Settings by one of which a folder describes a rope that is not of one kind of layers alone."""

SCALING = "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow"
WINDOWS = {
    f"swa_rope_parameters.{key}": f"rope_parameters.{NEAR}.{key}"
    for key in (*OF_ALL, *SCALING, "partial_rotary_factor")
}
"""The rope of windows as Poolside's older folders have it, and as others do."""

GATES = {"per-head": True, "per_head": True, "per-element": False, "per_element": False}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    heads_of = _heads(parameters, parameters.positive("block_count", most=MAX_LAYERS))
    sizes = Sizes.read(parameters, experts=True, usual_heads=False, heads=max(heads_of))
    sizes = replace(sizes, head_dim=parameters.positive("attention.key_length", HEAD_DIM, MAX_HEAD_DIM))
    require_activation(parameters, "silu")
    require_activation(parameters, "sigmoid", key="moe_router_score_func")
    require_equal_values(parameters, sizes.head_dim)
    if parameters.flag("moe_apply_router_weight_on_input", False):
        raise UnsupportedModelError(parameters.path, "weighs what experts get; mlxr knows weighing what they give")
    if parameters.number("moe_router_logit_softcapping", 0.0):
        raise UnsupportedModelError(parameters.path, "caps its router's logits, which mlxr does not know")
    slides = _slides(parameters, sizes.layers)
    used = {WHOLE: not all(slides), NEAR: any(slides)}
    whole, near = (_rope(parameters, sizes.head_dim, kind, used[kind]) for kind in (WHOLE, NEAR))
    window = parameters.positive("attention.sliding_window", WINDOW) if any(slides) else 0
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    shared = parameters.positive("expert_shared_feed_forward_length", experts.hidden, MAX_HIDDEN)
    experts = replace(experts, shared_hidden=shared)
    biases = {*QKV_BIASES, "output_bias"} if parameters.flag("attention_bias", False) else set()
    layers = []
    sparse = _sparse(parameters, sizes.layers)
    for number, heads in enumerate(heads_of):
        rope, sees = (near, window) if slides[number] else (whole, 0)
        attention = _attention(parameters, weights, sizes, number, heads, rope, sees)
        half = experts if sparse[number] else mlp
        needs = frozenset(biases) | (CHOICE_BIAS if sparse[number] else frozenset())
        layers.append(LayerSpec(attention, half, Norms(heads=True), needs))
    return sizes.decoder(layers)


def _attention(
    parameters: Hyperparameters, weights: Weights, sizes: Sizes, layer: int, heads: int, rope: Rope, window: int
) -> AttentionSpec:
    kv_heads = parameters.positive("attention.head_count_kv", most=MAX_HEADS)
    require_even_heads(parameters, heads, kv_heads)
    spec = AttentionSpec(heads, kv_heads, sizes.head_dim, sizes.head_dim**-0.5, rope, sizes.norm_eps, window)
    return replace(spec, gate=Gate.SOFTPLUS, head_gates=_gates_heads(parameters, weights, layer, heads))


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


def _heads(parameters: Hyperparameters, layers: int) -> list[int]:
    if parameters.format is Format.GGUF:
        return parameters.positives("attention.head_count", layers, most=MAX_HEADS)
    count = parameters.positive("attention.head_count", most=MAX_HEADS)
    return parameters.positives("num_attention_heads_per_layer", layers, count, MAX_HEADS)


def _slides(parameters: Hyperparameters, layers: int) -> list[bool]:
    if parameters.format is not Format.GGUF:
        return sliding_layers(parameters, layers) or [False] * layers
    if not parameters.integer("attention.sliding_window", 0):
        return [False] * layers
    usual = [layer % PATTERN != 0 for layer in range(layers)]
    listed = parameters.is_list("attention.sliding_window_pattern")
    return (parameters.flags("attention.sliding_window_pattern", layers) if listed else None) or usual


def _sparse(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have experts. Poolside's folders list those that have none, transformers' the kinds of all,
    some files both."""
    if parameters.format is Format.GGUF:
        return dense_first(parameters, layers, 0)
    if "mlp_only_layers" in parameters and "mlp_layer_types" not in parameters:
        return expert_layers(parameters, layers)
    return sparse_layers(parameters, layers, 1)


def _rope(parameters: Hyperparameters, head_dim: int, kind: str, used: bool) -> Rope:
    if parameters.format is Format.GGUF:
        dims = parameters.positive("rope.dimension_count", head_dim, head_dim)
        if kind == WHOLE:
            return model_rope(parameters, dims, RopeStyle.NEOX)
        dims = parameters.positive("rope.dimension_count_swa", dims, head_dim)
        base = parameters.positive_number("rope.freq_base", BASE[NEAR])
        return plain_rope(dims, parameters.positive_number("rope.freq_base_swa", base))
    dims = turned_dims(parameters, head_dim, _share(parameters, kind, used))
    return model_rope(parameters, dims, RopeStyle.NEOX, None, BASE[kind], kind)


def _share(parameters: Hyperparameters, kind: str, used: bool) -> float:
    """Returns how much of a head a folder's rope turns. Raises ``UnsupportedModelError`` where ropes are described, but
    none for this kind of layers, and there are such: one for all is that of layers that see everything, and of what
    windows then have each program makes something else."""
    described = [key for key in parameters.values if key.startswith(("rope_parameters.", "rope_scaling."))]
    own = any(key.startswith(f"rope_parameters.{kind}.") for key in described)
    for_all = any(f"{place}.{key}" in described for place in ("rope_parameters", "rope_scaling") for key in OF_ALL)
    if used and described and not own and (kind == NEAR or not for_all):
        reason = f"describes a rope, but none for layers of the kind {kind!r}"
        raise UnsupportedModelError(parameters.path, reason)
    if not described and kind == NEAR:
        return SHARE[kind]
    share = parameters.number("partial_rotary_factor", 1.0 if described else SHARE[kind])
    share = parameters.number("rope_parameters.partial_rotary_factor", share)
    return parameters.number(f"rope_parameters.{kind}.partial_rotary_factor", share)


LAYER = "model.layers.{layer}"
IN_GGUF = FormatTable(
    ("laguna",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_DEEPSEEK_EXPERTS,
        "attention_gate": "blk.{layer}.attn_gate.weight",
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("laguna",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_DEEPSEEK_EXPERTS,
        **names.MLX_EXPERTS,
        "output_bias": f"{LAYER}.self_attn.o_proj.bias",
        "attention_gate": f"{LAYER}.self_attn.g_proj.weight",
    },
    config_json.LEFTOVERS.extended(
        settings={r"mlp_only_layers": "said by mlp_layer_types"},
        neutral={
            "decoder_sparse_step": (1,),
            "gating": (True,),  # beside gating_types
            "moe_router_use_sigmoid": (True,),
            "qkv_bias": (False,),
            "swa_attention_sink_enabled": (False,),
        },
    ),
    keys={"moe_routed_scaling_factor": "routed_scaling_factor", **WINDOWS},
    # As Poolside and mlx-lm write them, and as transformers does.
    renamed={
        r"\.mlp\.experts\.e_score_correction_bias$": ".mlp.gate.e_score_correction_bias",
        r"\.mlp\.shared_expert\.": ".mlp.shared_experts.",
        r"\.mlp\.gate\.proj\.": ".mlp.gate.",
    },
)
FAMILY = Family(
    "laguna", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, written=False
)

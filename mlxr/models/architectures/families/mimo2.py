"""MiMo V2 (Xiaomi 2025): values shorter than keys, and multiplied; windows with sinks and twice the key heads between
layers that see everything, each kind with a rope of its own on a third of a head; a dense layer, then experts whose
scores are sigmoids.

A head's values have zeros behind them up to the length of a key. What multiplies them multiplies the whole input of
attention instead, and what that does to scores, their scale takes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlxr.metal.specs import Activation, AttentionSpec, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.heads import require_even_heads
from mlxr.models.architectures.layer_kinds import all_but_every, routed_layers, sliding_layers, sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope, plain_rope, window_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, Sizes, require_activation
from mlxr.models.architectures.spec import CHOICE_BIAS, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
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


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    eps = parameters.epsilon("layernorm_epsilon", 1e-5) if "layernorm_epsilon" in parameters else None
    sizes = Sizes.read(parameters, experts=True, usual_heads=False, norm_eps=eps)
    sizes = sizes if eps is None else replace(sizes, norm_eps=eps)
    require_activation(parameters, "silu")
    gguf = parameters.format is Format.GGUF
    heads = _gguf_heads(parameters, sizes) if gguf else _folder_heads(parameters, sizes)
    whole, near = _ropes(parameters, heads.head_dim)
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    if gguf:
        sparse = routed_layers(weights, sizes.layers)
    else:
        usual = sparse_layers(parameters, sizes.layers, 1)
        sparse = parameters.flags("moe_layer_freq", sizes.layers) or usual
    window = _window(parameters)
    sinks = parameters.flag("add_swa_attention_sink_bias", True)
    layers = []
    for kv_heads, slides, has in zip(heads.kv_heads, heads.slides, sparse, strict=True):
        attention = _attention(parameters, sizes, heads, kv_heads, near if slides else whole, window if slides else 0)
        biases = (CHOICE_BIAS if has else frozenset()) | ({"sinks"} if slides and sinks else frozenset())
        layers.append(LayerSpec(attention, experts if has else mlp, biases=biases))
    return sizes.decoder(layers)


def _attention(
    parameters: Hyperparameters, sizes: Sizes, heads: Heads, kv_heads: int, rope: Rope, window: int
) -> AttentionSpec:
    require_even_heads(parameters, sizes.heads, kv_heads)
    gguf = parameters.format is Format.GGUF
    times = parameters.positive_number("attention.value_scale" if gguf else "attention_value_scale", 1.0)
    scale = heads.head_dim**-0.5 / times**2
    spec = AttentionSpec(sizes.heads, kv_heads, heads.head_dim, scale, rope, sizes.norm_eps, window)
    return replace(spec, value_dim=heads.value_dim % heads.head_dim, input_scale=times)


def _gguf_heads(parameters: Hyperparameters, sizes: Sizes) -> Heads:
    size = parameters.positive("attention.key_length", most=MAX_HEAD_DIM)
    values = parameters.positive("attention.value_length", size, MAX_HEAD_DIM)
    slides = parameters.flags("attention.sliding_window_pattern", parameters.positive("block_count"))
    kv_heads = parameters.each("attention.head_count_kv", sizes.layers)
    return _checked(parameters, Heads(size, values, kv_heads, (slides or [False] * sizes.layers)[: sizes.layers]))


def _folder_heads(parameters: Hyperparameters, sizes: Sizes) -> Heads:
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
    return _checked(parameters, Heads(size, values, [near if slide else count for slide in slides], slides))


def _checked(parameters: Hyperparameters, heads: Heads) -> Heads:
    if heads.value_dim > heads.head_dim or min(heads.kv_heads, default=1) < 1:
        sizes = f"keys of {heads.head_dim} numbers a head and values of {heads.value_dim}"
        raise parameters.error(f"has {sizes}; values are no longer than keys, of 1 head or more")
    return heads


def _ropes(parameters: Hyperparameters, head_dim: int) -> tuple[Rope, Rope]:
    """Returns the rope of layers that see everything, and that of the others."""
    if parameters.format is Format.GGUF:
        dims = parameters.positive("rope.dimension_count", head_dim, head_dim)
        base = parameters.positive_number("rope.freq_base_swa", NEAR_BASE)
        return model_rope(parameters, dims, RopeStyle.NEOX, default_base=BASE), plain_rope(dims, base)
    share = parameters.number("partial_rotary_factor", SHARE)
    inner = "rope_parameters.{}.partial_rotary_factor"
    shares = [parameters.number(inner.format(f"{kind}_attention"), share) for kind in ("full", "sliding")]
    dims, near_dims = (int(head_dim * each) for each in shares)
    if min(dims, near_dims) < 2 or dims % 2 or near_dims % 2 or max(dims, near_dims) > head_dim:
        raise parameters.error(f"turns {shares} of {head_dim} dimensions by its ropes")
    whole = model_rope(parameters, dims, RopeStyle.NEOX, None, BASE, "full_attention")
    return whole, window_rope(parameters, near_dims, NEAR_BASE, "swa_rope_theta")


def _window(parameters: Hyperparameters) -> int:
    """A folder's ``sliding_window_size`` does not count the token itself."""
    size = parameters.positive("attention.sliding_window")
    before = parameters.integer("sliding_window_size", 0)
    return before + 1 if before else size


IN_GGUF = FormatTable(
    ("mimo2",),
    {
        **names.GGUF,
        **names.GGUF_EXPERTS,
        "query_key_value": "blk.{layer}.attn_qkv.weight",
        "sinks": "blk.{layer}.attn_sinks.weight",
        "choice_bias": "blk.{layer}.exp_probs_b.bias",
    },
    GGUF,
)
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("mimo_v2_flash", "mimo_v2"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_EXPERTS,
        **names.MLX_EXPERTS,
        "sinks": f"{LAYER}.self_attn.attention_sink_bias",
        "choice_bias": f"{LAYER}.mlp.gate.e_score_correction_bias",
    },
    config_json.LEFTOVERS.extended(
        tensors={r"model\.mtp\..*": "they draft tokens that the model then checks"},
        settings={r"attention_chunk_size|swa_rope_theta|topk_method|hybrid_block_size": "what other settings say"},
        neutral={"add_full_attention_sink_bias": (False,)},
    ),
)
FAMILY = Family("mimo2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

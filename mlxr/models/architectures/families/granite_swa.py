"""Granite with windows (IBM 2026): Granite's multipliers, a learned score beside each head's ("sink"), windows in most
layers, a rope with a base of its own in each layer or none; dense, or a mixture of experts."""

from __future__ import annotations

from mlxr.metal.specs import Activation, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families import granite, granite_moe
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import all_but_first_of, listed_windows
from mlxr.models.architectures.rope import model_rope, plain_rope
from mlxr.models.architectures.rope_config import rope_base, rope_kind
from mlxr.models.architectures.sizes import Sizes, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

WINDOW, PATTERN = 128, 4
"""Where a folder does not say: how far most layers see, and that every so many-th, from the first on, sees all."""

SINKS = frozenset({"sinks"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = granite.sizes_of(parameters, experts=True)
    routed = parameters.integer("expert_count", 0)
    half: FeedForward = granite_moe.experts(parameters, sizes) if routed else sizes.mlp(Activation.SILU)
    scale, window = scale_of(parameters, sizes.head_dim), parameters.positive("attention.sliding_window", WINDOW)
    slides = listed_windows(parameters, sizes.layers) or all_but_first_of(PATTERN, sizes.layers)
    return granite.scaled(
        parameters,
        sizes,
        [
            LayerSpec(sizes.attention(rope, scale, window if slide else 0), half, biases=SINKS)
            for rope, slide in zip(_ropes(parameters, sizes), slides, strict=True)
        ],
    )


def _ropes(parameters: Hyperparameters, sizes: Sizes) -> list[Rope | None]:
    """Returns each layer's rope, None where it has none."""
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    if parameters.format is Format.GGUF:
        turns = parameters.flags("attention.rope_pattern", sizes.layers) or [True] * sizes.layers
        return [rope if turned else None for turned in turns]
    bases = parameters.numbers("layer_rope_theta", sizes.layers)
    if bases is None:
        return [rope] * sizes.layers
    if min(bases) < 0:
        raise parameters.error(f"has the rope base {min(bases)}; it is above 0, or 0 for no rope")
    usual, kind = rope_base(parameters, 10000.0), rope_kind(parameters)
    if kind != "default" and not {*bases} <= {0.0, usual}:
        reason = f"scales ropes of several bases by {kind[:60]!r}; mlxr knows that with one base"
        raise UnsupportedModelError(parameters.path, reason)
    ropes = {base: rope if base == usual else plain_rope(sizes.rope_dims, base) for base in bases if base}
    return [ropes.get(base) for base in bases]


LAYER = "model.layers.{layer}"
IN_GGUF = FormatTable(
    ("granite_swa",),
    {
        **names.GGUF,
        **names.GGUF_EXPERTS,
        "sinks": "blk.{layer}.attn_sinks.weight",
        "shared_gate_up": "blk.{layer}.ffn_up_shexp.weight",
        "shared_down": "blk.{layer}.ffn_down_shexp.weight",
    },
    granite.NOTES,
)
IN_FOLDERS = FormatTable(
    ("granite_swa", "granitemoe_swa"),
    {
        **names.HUGGING_FACE,
        "sinks": f"{LAYER}.self_attn.sinks",
        "router": f"{LAYER}.block_sparse_moe.router.weight",
        "experts_gate_up": f"{LAYER}.block_sparse_moe.experts.gate_up_proj",
        "experts_down": f"{LAYER}.block_sparse_moe.experts.down_proj",
        "shared_gate_up": f"{LAYER}.shared_mlp.input_linear.weight",
        "shared_down": f"{LAYER}.shared_mlp.output_linear.weight",
    },
    config_json.LEFTOVERS,
    # Files have experts by Granite 3's names, too.
    renamed={
        r"\.block_sparse_moe\.input_linear\.weight$": ".block_sparse_moe.experts.gate_up_proj",
        r"\.block_sparse_moe\.output_linear\.weight$": ".block_sparse_moe.experts.down_proj",
        r"\.block_sparse_moe\.router\.layer\.weight$": ".block_sparse_moe.router.weight",
    },
)
FAMILY = Family(
    "granite_swa",
    read,
    {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS},
    reordered=True,
    written=False,
)

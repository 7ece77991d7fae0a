"""Llama 4's language models (Meta 2025): three layers of four with a rope, norms without weights on heads, and a window
that begins at multiples of its size; the fourth sees everything, without a rope, and its queries grow with their
position. A token's weight of an expert multiplies what the expert gets."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, AttentionSpec, RopeStyle, Temperature
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import turning_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, Experts, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

INTERVAL = 4
"""Every so many-th layer has no rope."""

CHUNK = 8192
WARM = Temperature(0.1, 8192, 1)
"""What GGUF files leave unsaid."""

MAVERICK = 128
"""Experts of the model whose heads have no norms, which GGUF files do not say either."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    experts = _experts(parameters, sizes)
    # Folders use the usual name for an expert's width.
    folder = parameters.format is not Format.GGUF
    hidden = parameters.positive("intermediate_size_mlp", sizes.hidden, MAX_HIDDEN) if folder else sizes.hidden
    dense = replace(sizes.mlp(Activation.SILU), hidden=hidden)
    turns, sparse = _turns(parameters, sizes.layers), _sparse(parameters, sizes.layers)
    attentions = _attentions(parameters, weights, sizes)
    normed = Norms(heads=_normed(parameters, experts), weighted=False)
    return sizes.decoder(
        [
            LayerSpec(attentions[turn], experts if has else dense, normed if turn else Norms())
            for turn, has in zip(turns, sparse, strict=True)
        ]
    )


def _attentions(parameters: Hyperparameters, weights: Weights, sizes: Sizes) -> dict[bool, AttentionSpec]:
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


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    experts = sizes.experts(parameters, Activation.SILU, normalized=False, hidden=sizes.hidden)
    spec = replace(experts.spec, sigmoid=True, normalized=False, weighs_inputs=True)
    return replace(experts, spec=spec, shared_hidden=experts.hidden)


def _normed(parameters: Hyperparameters, experts: Experts) -> bool:
    if parameters.format is Format.GGUF:
        return experts.spec.experts != MAVERICK
    return parameters.flag("use_qk_norm", True)


def _turns(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have a rope. Raises ``UnsupportedModelError`` where those alone do not have the window."""
    turns = turning_layers(parameters, layers, INTERVAL)
    kinds = parameters.texts("layer_types")
    if kinds is not None and kinds != ["chunked_attention" if turn else "full_attention" for turn in turns]:
        raise UnsupportedModelError(parameters.path, "has layer_types other than its layers with ropes tell")
    return turns


def _sparse(parameters: Hyperparameters, layers: int) -> list[bool]:
    step = parameters.positive("interleave_moe_layer_step", 1)
    listed = parameters.integers("moe_layers")
    return [(layer + 1) % step == 0 if listed is None else layer in listed for layer in range(layers)]


LAYER = "model.layers.{layer}.feed_forward"
HUGGING_FACE = {
    **names.HUGGING_FACE,
    **names.perceptron(LAYER),
    "router": f"{LAYER}.router.weight",
    "experts_gate_up_turned": f"{LAYER}.experts.gate_up_proj",
    "experts_down_turned": f"{LAYER}.experts.down_proj",
    **names.shared_expert(f"{LAYER}.shared_expert"),
    **names.experts(f"{LAYER}.experts"),
}
KINDS = ("llama4_text", "llama4")
FAMILY = Family(
    "llama4",
    read,
    {
        Format.GGUF: FormatTable(("llama4",), {**names.GGUF, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT}, GGUF),
        Format.HUGGING_FACE: FormatTable(KINDS, HUGGING_FACE, config_json.LANGUAGE_LEFTOVERS),
        Format.MLX: FormatTable(KINDS, HUGGING_FACE, config_json.LANGUAGE_LEFTOVERS),
    },
)

"""Gemma 4 (Google 2026): Gemma 3's norms, layers that see everything with longer heads than those with a window, normed
values, and a factor on each layer's output.

The small models look up per-layer embeddings, and their last layers read the keys and values of earlier ones; in the
large ones values are keys in layers that see everything; 26B-A4B has a mixture of experts beside each perceptron.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, MLPSpec, PerLayerInputSpec
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.gemma4_heads import heads_of, ropes_of
from mlxr.models.architectures.layer_kinds import all_but_every, kv_sources, listed_windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.per_layer import per_layer_embedding
from mlxr.models.architectures.sizes import MAX_EXPERTS, MAX_HIDDEN, Sizes, require_activation
from mlxr.models.architectures.spec import MLP, DecoderSpec, Experts, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

ACTIVATION = Activation.GELU_TANH
PATTERN = 6
"""Every so many-th layer sees everything where a file does not say."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    if parameters.values.get("use_bidirectional_attention") == "all":
        raise UnsupportedModelError(parameters.path, "lets tokens see those behind them; mlxr's decoders do not")
    require_activation(parameters, "gelu_pytorch_tanh", key="hidden_activation")
    sizes = Sizes.read(parameters, experts=True, usual_heads=False, usual_hidden=False)
    count = sizes.layers
    slides = listed_windows(parameters, count) or all_but_every(PATTERN, count)
    shared = parameters.integer("attention.shared_kv_layers", 0)
    sources = kv_sources(parameters, slides, shared)
    heads = heads_of(parameters, sizes, slides)
    hidden = parameters.positives("feed_forward_length", count, most=MAX_HIDDEN)
    if parameters.flag("use_double_wide_mlp", False):
        hidden = [wide * 2 if source is not None else wide for wide, source in zip(hidden, sources, strict=True)]
    ropes = ropes_of(parameters, weights, heads, slides)
    window = parameters.positive("attention.sliding_window")
    equal = parameters.flag("attention_k_eq_v", False)
    further = per_layer_embedding(parameters, sizes)
    experts = _experts(parameters, sizes)
    layers = []
    for number, (slide, own, source) in enumerate(zip(slides, heads, sources, strict=True)):
        keyed = equal if parameters.format is not Format.GGUF else f"blk.{number}.attn_v.weight" not in weights
        attention = AttentionSpec(
            heads=sizes.heads,
            kv_heads=own.kv_heads,
            head_dim=own.head_dim,
            scale=parameters.number("attention.scale", 1.0),
            rope=ropes[slide],
            norm_eps=sizes.norm_eps,
            window=window if slide else 0,
            norm_values=True,
            values_are_keys=keyed and not slide and source is None,
            kv_layer=source,
        )
        if source is not None and heads[source] != own:
            reason = f"lets layer {number} read keys of layer {source}, which has others"
            raise parameters.error(reason)
        perceptron = MLP(hidden[number], MLPSpec(ACTIVATION, sizes.norm_eps))
        half = perceptron if experts is None else replace(experts, shared_hidden=hidden[number])
        added = None if further is None else PerLayerInputSpec(ACTIVATION, sizes.norm_eps)
        layers.append(LayerSpec(attention, half, Norms(after=True, heads=True), per_layer=added))
    spec = sizes.decoder(layers, sizes.width**0.5, parameters.number("final_logit_softcapping", 0.0))
    return replace(spec, per_layer=further)


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts | None:
    count = parameters.integer("expert_count", parameters.integer("num_experts", 0))
    in_use = parameters.flag("enable_moe_block", False) if parameters.format is not Format.GGUF else count > 0
    if not in_use:
        return None
    count = parameters.positive("expert_count", count or None, MAX_EXPERTS)
    used = parameters.positive("expert_used_count", parameters.integer("top_k_experts", 0))
    if used > count:
        raise parameters.error(f"has {count} experts, of which each token would use {used}")
    hidden = set(parameters.positives("expert_feed_forward_length", sizes.layers, most=MAX_HIDDEN))
    if len(hidden) > 1:
        raise UnsupportedModelError(parameters.path, "has experts of different sizes by layer; mlxr runs equal ones")
    return Experts(hidden.pop(), ExpertsSpec(ACTIVATION, count, used, sizes.norm_eps), own_norms=True)


SHARED_KEYS = "they are of layers that read the keys and values of earlier ones"
"""Files may keep projections that such layers had in training."""
SENSES = "they see or hear, which the text model does not"

IN_GGUF = FormatTable(
    ("gemma4",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_POST_NORMS,
        **names.GGUF_PER_LAYER,
        "output_scale": "blk.{layer}.layer_output_scale.weight",
        **names.GGUF_EXPERTS,
        "router_norm": "blk.{layer}.ffn_gate_inp.scale",
        "expert_scale": "blk.{layer}.ffn_down_exps.scale",
        "shared_norm": "blk.{layer}.ffn_norm.weight",
        "shared_gate": "blk.{layer}.ffn_gate.weight",
        "shared_up": "blk.{layer}.ffn_up.weight",
        "shared_down": "blk.{layer}.ffn_down.weight",
        "shared_post_norm": "blk.{layer}.post_ffw_norm_1.weight",
        "experts_norm": "blk.{layer}.pre_ffw_norm_2.weight",
        "mixture_post_norm": "blk.{layer}.post_ffw_norm_2.weight",
    },
    GGUF.extended(
        tensors={
            r"(v|a|mm)\..*": SENSES,
            r"blk\.\d+\.attn_(k|v|k_norm)\.weight": SHARED_KEYS,
            r"rope_freqs\.weight": "of layers that see everything",
        },
        settings={r"(vision|audio|mm)\..*": SENSES},
    ),
)
_NAMES_IN_FOLDERS: Names = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_HEAD_NORMS,
    **names.HUGGING_FACE_GEMMA_NORMS,
    **names.HUGGING_FACE_PER_LAYER,
    "output_scale": "model.layers.{layer}.layer_scalar",
    "router": "model.layers.{layer}.router.proj.weight",
    "router_norm": "model.layers.{layer}.router.scale",
    "expert_scale": "model.layers.{layer}.router.per_expert_scale",
    "experts_gate_up": "model.layers.{layer}.experts.gate_up_proj",
    **names.experts("model.layers.{layer}.experts.switch_glu"),
    "experts_down_together": "model.layers.{layer}.experts.down_proj",
    "shared_norm": "model.layers.{layer}.pre_feedforward_layernorm.weight",
    **names.shared_expert("model.layers.{layer}.mlp"),
    "shared_post_norm": "model.layers.{layer}.post_feedforward_layernorm_1.weight",
    "experts_norm": "model.layers.{layer}.pre_feedforward_layernorm_2.weight",
    "mixture_post_norm": "model.layers.{layer}.post_feedforward_layernorm_2.weight",
}
FOLDER_LEFTOVERS = config_json.LEFTOVERS.extended(
    tensors={
        r"(model\.)?((vision|audio)_tower|embed_(vision|audio)|vision_embedder|multi_modal_projector)\..*": SENSES,
        r"model\.layers\.\d+\.self_attn\.[kv]_(proj|norm)\..*": SHARED_KEYS,
    },
    settings={
        r"audio_config(\..*)?|(vision|audio)_.*|.*_token_index|mm_tokens_per_image": SENSES,
        r"vocab_size_per_layer_input": "the table tells",
        r"(top_k_experts|moe_intermediate_size|num_experts)": "of experts, which are looked at where they are in use",
    },
    neutral={"rope_parameters.sliding_attention.partial_rotary_factor": (1.0,)},
)
IN_FOLDERS = FormatTable(
    ("gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"), _NAMES_IN_FOLDERS, FOLDER_LEFTOVERS
)
FAMILY = Family("gemma4", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

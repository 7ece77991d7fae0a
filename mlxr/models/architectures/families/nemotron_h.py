"""Nemotron-H, Nemotron Nano 2 and Nemotron 3 (NVIDIA 2025): layers of one half each, which is Mamba-2, attention
without a rope, a perceptron that squares what is above zero, or a mixture of such, in Nemotron 3 Super on shorter
vectors.

A ``config.json`` has ``time_step_min``, by which steps were made at first; they are not held to it, as ``mamba_ssm``,
which the models were trained with, and llama.cpp do not. transformers 5 does so for prompts, not for single tokens.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, MLPSpec
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.routing import in_groups, require_sigmoid
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HIDDEN, MAX_WIDTH, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import CHOICE_BIAS, MLP, DecoderSpec, Experts, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
"""Of layers in ``hybrid_override_pattern``."""

KINDS = {**{kind: kind for kind in LETTERS.values()}, "linear_attention": "mamba", "full_attention": "attention"}

KEYS = {
    "time_step_rank": "mamba_num_heads",
    "group_count": "n_groups",
    "state_size": "ssm_state_size",
    "conv_kernel": "conv_kernel",
}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    listed = _listed(parameters)
    sizes = _sizes(parameters, len(listed))
    require_activation(parameters, "relu2", key="mlp_hidden_act")
    require_activation(parameters, "silu", key="mamba_hidden_act")
    kinds = listed or _counted(parameters, sizes.layers)
    if len(kinds) != sizes.layers:
        raise parameters.error(f"lists {len(kinds)} kinds of layers for {sizes.layers} layers")
    made: dict[str, LayerSpec] = {}
    if "mamba" in kinds:
        made["mamba"] = _mamba(parameters, sizes)
    if "attention" in kinds:
        made["attention"] = LayerSpec(sizes.attention(None, scale_of(parameters, sizes.head_dim)), None)
    if "mlp" in kinds:
        biases = {"up_bias", "down_bias"} if parameters.flag("mlp_bias", False) else set()
        half = MLP(sizes.hidden, MLPSpec(Activation.RELU_SQUARED, sizes.norm_eps), gated=False)
        made["mlp"] = LayerSpec(None, half, biases=frozenset(biases))
    if "moe" in kinds:
        made["moe"] = LayerSpec(None, _experts(parameters, sizes), biases=CHOICE_BIAS)
    return sizes.decoder([made[kind] for kind in kinds])


def _sizes(parameters: Hyperparameters, listed: int) -> Sizes:
    if parameters.format is Format.GGUF:
        eps = parameters.epsilon("attention.layer_norm_epsilon", 1e-5)
        return Sizes.read(parameters, experts=True, norm_eps=eps)
    head_dim = parameters.positive("attention_head_dim", 128, MAX_HEAD_DIM)
    hidden = parameters.positive("moe_intermediate_size", MAX_HIDDEN, MAX_HIDDEN)
    sizes = Sizes.read(parameters, head_dim, experts=True, hidden=hidden, layers=listed or None)
    eps = parameters.epsilon("layer_norm_epsilon", parameters.epsilon("norm_eps", 1e-5))
    return replace(sizes, norm_eps=eps)


def _listed(parameters: Hyperparameters) -> list[str]:
    """Returns what each layer is, as a folder lists it; nothing for a GGUF file."""
    if parameters.format is Format.GGUF:
        return []
    pattern = parameters.text("hybrid_override_pattern", "")
    kinds = parameters.texts("layers_block_type") or parameters.texts("layer_types") or list(pattern)
    if not kinds:
        raise parameters.error("has neither a hybrid_override_pattern nor layers_block_type")
    known = {**LETTERS, **KINDS}
    for kind in kinds:
        if kind not in known:
            reason = f"has layers of the type {kind[:60]!r}; mlxr knows {', '.join(known)}"
            raise UnsupportedModelError(parameters.path, reason)
    return [known[kind] for kind in kinds]


def _counted(parameters: Hyperparameters, layers: int) -> list[str]:
    """Returns what each layer is, as a GGUF file says by how many key heads and how long a perceptron it has."""
    keys, hidden = (parameters.each(key, layers) for key in ("attention.head_count_kv", "feed_forward_length"))
    sparse = "moe" if parameters.integer("expert_count", 0) else "mlp"
    return [sparse if long else "attention" if count else "mamba" for count, long in zip(keys, hidden, strict=True)]


def _mamba(parameters: Hyperparameters, sizes: Sizes) -> LayerSpec:
    folder = parameters.format is not Format.GGUF
    head_dim = parameters.positive("mamba_head_dim", most=MAX_HEAD_DIM) if folder else 0
    projected = "use_bias" if "use_bias" in parameters else "mamba_proj_bias"
    biases = state_spaces.biases(parameters, projected, "use_conv_bias")
    spec = state_spaces.mamba2_spec(parameters, KEYS, head_dim, sizes.norm_eps, sizes.norm_eps)
    return LayerSpec(spec, None, biases=biases)


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    require_sigmoid(parameters)
    experts = sizes.experts(parameters, Activation.RELU_SQUARED, normalized=True, hidden=sizes.hidden)
    scale = parameters.positive_number("expert_weights_scale", 1.0)
    spec = replace(in_groups(parameters, experts.spec), sigmoid=True, scale=scale)
    gguf = parameters.format is Format.GGUF
    key = "expert_shared_feed_forward_length" if gguf else "moe_shared_expert_intermediate_size"
    shared = parameters.positive(key, most=MAX_HIDDEN) if parameters.integer("expert_shared_count", 1) else 0
    latent = parameters.integer("moe_latent_size", 0)
    if not 0 <= latent <= MAX_WIDTH:
        raise parameters.error(f"has experts on vectors of {latent} numbers")
    return replace(experts, spec=spec, shared_hidden=shared, gated=False, latent=latent)


IN_GGUF: Names = {
    **names.GGUF,
    **state_spaces.GGUF_NAMES,
    **names.GGUF_DEEPSEEK_EXPERTS,
    "feed_forward_norm": "blk.{layer}.attn_norm.weight",
    "up_bias": "blk.{layer}.ffn_up.bias",
    "down_bias": "blk.{layer}.ffn_down.bias",
    "latent_down": "blk.{layer}.ffn_latent_down.weight",
    "latent_up": "blk.{layer}.ffn_latent_up.weight",
}
MIXER = "backbone.layers.{layer}.mixer"
HUGGING_FACE: Names = {
    **state_spaces.folder_names(MIXER),
    **names.BACKBONE,
    "feed_forward_norm": "backbone.layers.{layer}.norm.weight",
    "query": f"{MIXER}.q_proj.weight",
    "key": f"{MIXER}.k_proj.weight",
    "value": f"{MIXER}.v_proj.weight",
    "output": f"{MIXER}.o_proj.weight",
    "up": f"{MIXER}.up_proj.weight",
    "up_bias": f"{MIXER}.up_proj.bias",
    "down": f"{MIXER}.down_proj.weight",
    "down_bias": f"{MIXER}.down_proj.bias",
    "router": f"{MIXER}.gate.weight",
    "choice_bias": f"{MIXER}.gate.e_score_correction_bias",
    "experts_up": f"{MIXER}.experts.{{expert}}.up_proj.weight",
    "experts_down": f"{MIXER}.experts.{{expert}}.down_proj.weight",
    "experts_up_together": f"{MIXER}.switch_mlp.fc1.weight",
    "experts_down_together": f"{MIXER}.switch_mlp.fc2.weight",
    "shared_up": f"{MIXER}.shared_experts.up_proj.weight",
    "shared_down": f"{MIXER}.shared_experts.down_proj.weight",
    "latent_down": f"{MIXER}.fc1_latent_proj.weight",
    "latent_up": f"{MIXER}.fc2_latent_proj.weight",
}
"""Experts are in one tensor where mlx-lm wrote them."""

NOTES = config_json.LEFTOVERS.extended(
    tensors={r"mtp\..*": "of layers that draft tokens"},
    settings={
        r"time_step_(min|max|floor|rank)|rescale_prenorm_residual|residual_in_fp32": "how it was made and trained",
        r"chunk_size|mamba_ssm_cache_dtype|use_mamba_kernels|num_logits_to_keep": "how it is computed",
        r"expand|num_query_groups|mtp_.*|n_shared_experts|moe_shared_expert_overlap": "what other settings say",
        r"num_nextn_predict_layers": "of layers that draft tokens",
        r"rope_(theta|scaling|parameters)(\..*)?|partial_rotary_factor": "its attention has no rope",
        r"mamba_hidden_act|moe_.*|n_(routed_experts|group)|topk_group|routed_scaling_factor|norm_topk_prob": (
            "asked where layers have what they are of"
        ),
        r"(ssm|mamba)_.*|n_groups|conv_kernel|use_(conv_)?bias|time_step_limit|num_experts_per_tok": (
            "asked where layers have what they are of"
        ),
        r"mlp_bias|intermediate_size": "asked where layers have what they are of",
    },
    neutral={"attention_bias": (False,)},
)
IN_FOLDERS = FormatTable(("nemotron_h",), HUGGING_FACE, NOTES)
FAMILY = Family(
    "nemotron_h",
    read,
    {
        Format.GGUF: FormatTable(
            ("nemotron_h", "nemotron_h_moe"),
            IN_GGUF,
            GGUF.extended(settings={r"rope\..*": "its attention has no rope"}),
        ),
        Format.HUGGING_FACE: IN_FOLDERS,
        Format.MLX: IN_FOLDERS,
    },
)

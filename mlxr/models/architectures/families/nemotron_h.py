"""Nemotron-H, Nemotron Nano 2 and Nemotron 3 (NVIDIA 2025): layers of one half each, which is Mamba-2, attention
without a rope, a perceptron that squares what is above zero, or a mixture of such, in Nemotron 3 Super on shorter
vectors.

A ``config.json`` has ``time_step_min``, by which steps were made at first; they are not held to it, as ``mamba_ssm``,
which the models were trained with, and llama.cpp do not. transformers 5 does so for prompts, not for single tokens.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.nemotron_h_layers import kinds_of, listed_kinds
from mlxr.models.architectures.leftovers import GGUF, NO_ROPE
from mlxr.models.architectures.routing import sigmoid_experts, with_shared
from mlxr.models.architectures.sizes import MAX_HIDDEN, MAX_WIDTH, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, Experts, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

KEYS = {
    "head_size": "mamba_head_dim",
    "time_step_rank": "mamba_num_heads",
    "group_count": "n_groups",
    "state_size": "ssm_state_size",
    "conv_kernel": "conv_kernel",
}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    listed = None if parameters.format is Format.GGUF else listed_kinds(parameters)
    sizes = _sizes(parameters, listed)
    require_activation(parameters, "relu2", key="mlp_hidden_act")
    require_activation(parameters, "silu", key="mamba_hidden_act")
    kinds = kinds_of(parameters, listed, sizes.layers)
    made: dict[str, LayerSpec] = {}
    if "mamba" in kinds:
        projected = "use_bias" if "use_bias" in parameters else "mamba_proj_bias"
        spec = state_spaces.mamba2_spec(parameters, KEYS, sizes.norm_eps, sizes.norm_eps)
        made["mamba"] = LayerSpec(spec, None, biases=state_spaces.biases(parameters, projected, "use_conv_bias"))
    if "attention" in kinds:
        made["attention"] = LayerSpec(sizes.attention(None, scale_of(parameters, sizes.head_dim)), None)
    if "mlp" in kinds:
        biases = frozenset({"up_bias", "down_bias"} if parameters.flag("mlp_bias", False) else ())
        made["mlp"] = LayerSpec(None, sizes.mlp(Activation.RELU_SQUARED, gated=False), biases=biases)
    if "moe" in kinds:
        made["moe"] = LayerSpec(None, _experts(parameters, sizes))
    return sizes.decoder([made[kind] for kind in kinds])


def _sizes(parameters: Hyperparameters, listed: list[str] | None) -> Sizes:
    if listed is None:
        eps = parameters.epsilon("attention.layer_norm_epsilon", 1e-5)
        return Sizes.read(parameters, experts=True, norm_eps=eps)
    hidden = parameters.positive("expert_feed_forward_length", MAX_HIDDEN, MAX_HIDDEN)
    return Sizes.read(parameters, 128, experts=True, hidden=hidden, layers=len(listed), norm_eps=1e-5)


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    experts = sigmoid_experts(parameters, sizes, Activation.RELU_SQUARED, sizes.hidden)
    if parameters.integer("expert_shared_count", 1):
        experts = with_shared(parameters, experts)
    latent = parameters.integer("moe_latent_size", 0)
    if not 0 <= latent <= MAX_WIDTH:
        raise parameters.error(f"has experts on vectors of {latent} numbers")
    return replace(experts, gated=False, latent=latent)


IN_GGUF = FormatTable(
    ("nemotron_h", "nemotron_h_moe"),
    {
        **names.GGUF,
        **state_spaces.GGUF_NAMES,
        **names.GGUF_DEEPSEEK_EXPERTS,
        "feed_forward_norm": "blk.{layer}.attn_norm.weight",
        "up_bias": "blk.{layer}.ffn_up.bias",
        "down_bias": "blk.{layer}.ffn_down.bias",
        "latent_down": "blk.{layer}.ffn_latent_down.weight",
        "latent_up": "blk.{layer}.ffn_latent_up.weight",
    },
    GGUF.extended(settings=NO_ROPE),
)
MIXER = "backbone.layers.{layer}.mixer"
HUGGING_FACE: Names = {
    **state_spaces.folder_names(MIXER),
    **names.BACKBONE,
    "feed_forward_norm": "backbone.layers.{layer}.norm.weight",
    **names.attention(MIXER),
    **names.perceptron(MIXER, names.UNGATED),
    "up_bias": f"{MIXER}.up_proj.bias",
    "down_bias": f"{MIXER}.down_proj.bias",
    "router": f"{MIXER}.gate.weight",
    "choice_bias": f"{MIXER}.gate.e_score_correction_bias",
    **names.each_expert(f"{MIXER}.experts", names.UNGATED),
    **names.experts_together(f"{MIXER}.switch_mlp", ("", "fc1", "fc2")),
    **names.shared_expert(f"{MIXER}.shared_experts", names.UNGATED),
    "latent_down": f"{MIXER}.fc1_latent_proj.weight",
    "latent_up": f"{MIXER}.fc2_latent_proj.weight",
}
"""Experts are in one tensor where mlx-lm wrote them."""

NOTES = config_json.DRAFTING_LEFTOVERS.extended(
    settings={
        r"time_step_(min|max|floor|rank)|rescale_prenorm_residual|residual_in_fp32": "how it was made and trained",
        r"chunk_size|mamba_ssm_cache_dtype|use_mamba_kernels|num_logits_to_keep": "how it is computed",
        r"expand|num_query_groups|n_shared_experts|moe_shared_expert_overlap": "what other settings say",
        r"mamba_hidden_act|moe_.*|n_(routed_experts|group)|topk_group|routed_scaling_factor|norm_topk_prob": (
            "asked where layers have what they are of"
        ),
        r"(ssm|mamba)_.*|n_groups|conv_kernel|use_(conv_)?bias|time_step_limit|num_experts_per_tok|mlp_bias": (
            "asked where layers have what they are of"
        ),
        r"(shared_expert_)?intermediate_size": "asked where layers have what they are of",
        **config_json.NO_ROPE,
    },
)
IN_FOLDERS = FormatTable(
    ("nemotron_h",),
    HUGGING_FACE,
    NOTES,
    keys={
        "attention_head_dim": "head_dim",
        "layer_norm_epsilon": "rms_norm_eps",
        "moe_shared_expert_intermediate_size": "shared_expert_intermediate_size",
        "norm_eps": "rms_norm_eps",
    },
)
FAMILY = Family("nemotron_h", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

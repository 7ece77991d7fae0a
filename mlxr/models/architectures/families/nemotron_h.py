"""Nemotron-H, Nemotron Nano 2 and Nemotron 3 (NVIDIA 2025): layers of one half each, which is Mamba-2, attention
without a rope, a perceptron that squares what is above zero, or a mixture of such, in Nemotron 3 Super on shorter
vectors.

A ``config.json`` has ``time_step_min``, by which steps were made at first; they are not held to it, as ``mamba_ssm``,
which the models were trained with, and llama.cpp do not. transformers 5 does so for prompts, not for single tokens.
"""

from __future__ import annotations

from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.nemotron_h_layers import SETTINGS_OF_HALVES, half_of, kinds_of, listed_kinds
from mlxr.models.architectures.leftovers import GGUF, NO_ROPE
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    listed = None if parameters.format is Format.GGUF else listed_kinds(parameters)
    sizes = _sizes(parameters, listed)
    require_activation(parameters, "relu2", key="mlp_hidden_act")
    require_activation(parameters, "silu", key="mamba_hidden_act")
    kinds = kinds_of(parameters, listed, sizes.layers)
    halves = {kind: half_of(kind, parameters, sizes) for kind in dict.fromkeys(kinds)}
    return sizes.decoder([halves[kind] for kind in kinds])


def _sizes(parameters: Hyperparameters, listed: list[str] | None) -> Sizes:
    if listed is None:
        eps = parameters.epsilon("attention.layer_norm_epsilon", 1e-5)
        return Sizes.read(parameters, experts=True, norm_eps=eps)
    hidden = parameters.positive("expert_feed_forward_length", MAX_HIDDEN, MAX_HIDDEN)
    return Sizes.read(parameters, 128, experts=True, hidden=hidden, layers=len(listed), norm_eps=1e-5)


IN_GGUF = FormatTable(
    ("nemotron_h", "nemotron_h_moe"),
    {
        **names.GGUF,
        **state_spaces.GGUF_NAMES,
        **names.GGUF_DEEPSEEK_EXPERTS,
        "feed_forward_norm": "blk.{layer}.attn_norm.weight",
        **names.GGUF_MLP_BIASES,
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
    **names.deepseek_experts(MIXER, names.UNGATED),
    **names.experts_together(f"{MIXER}.switch_mlp", ("", "fc1", "fc2")),
    "latent_down": f"{MIXER}.fc1_latent_proj.weight",
    "latent_up": f"{MIXER}.fc2_latent_proj.weight",
}
"""Experts are in one tensor where mlx-lm wrote them."""

NOTES = config_json.DRAFTING_LEFTOVERS.extended(
    settings={
        r"time_step_(min|max|floor|rank)|rescale_prenorm_residual|residual_in_fp32": "how it was made and trained",
        r"chunk_size|mamba_ssm_cache_dtype|use_mamba_kernels|num_logits_to_keep": "how it is computed",
        r"expand|num_query_groups|n_shared_experts|moe_shared_expert_overlap": "what other settings say",
        **SETTINGS_OF_HALVES,
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

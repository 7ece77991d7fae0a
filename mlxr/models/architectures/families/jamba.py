"""Jamba (AI21 2024): Mamba's layers, whose time steps, B and C are normed, with attention without a rope between them,
and perceptrons that alternate with mixtures of experts."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Mamba1Spec
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import every_so_many, keyed_layers, routed_layers
from mlxr.models.architectures.leftovers import GGUF, NO_ROPE
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec, MixerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

KEYS = {"state_size": "mamba_d_state", "conv_kernel": "mamba_d_conv", "time_step_rank": "mamba_dt_rank"}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    attends, sparse = (_attends(parameters, sizes), _sparse(parameters, sizes, weights))
    attention: MixerSpec = sizes.attention(None, scale_of(parameters, sizes.head_dim))
    mamba, mlp = _mamba(parameters, sizes), sizes.mlp(Activation.SILU)
    half: FeedForward = mlp
    if any(sparse):
        experts = sizes.experts(parameters, Activation.SILU, normalized=False, hidden=sizes.hidden)
        half = replace(experts, spec=replace(experts.spec, normalized=False))
    else:
        parameters.integer("expert_used_count", 0)
    biases = state_spaces.biases(parameters)
    return sizes.decoder(
        [
            LayerSpec(attention if sees else mamba, half if has else mlp, biases=frozenset() if sees else biases)
            for sees, has in zip(attends, sparse, strict=True)
        ]
    )


def _mamba(parameters: Hyperparameters, sizes: Sizes) -> Mamba1Spec:
    inner = 0 if parameters.format is Format.GGUF else sizes.width * parameters.positive("mamba_expand", 2, 64)
    return state_spaces.mamba1_spec(parameters, KEYS, inner, sizes.width, sizes.norm_eps, sizes.norm_eps)


def _attends(parameters: Hyperparameters, sizes: Sizes) -> list[bool]:
    """Returns which layers have attention: those that have key heads, or each so many-th."""
    if parameters.format is Format.GGUF:
        return keyed_layers(parameters, sizes.layers)
    return every_so_many(parameters, "attn_layer_period", "attn_layer_offset", (8, 4), sizes.layers)


def _sparse(parameters: Hyperparameters, sizes: Sizes, weights: Weights) -> list[bool]:
    if parameters.integer("expert_count", parameters.integer("num_experts", 16)) < 2:
        return [False] * sizes.layers
    if parameters.format is Format.GGUF:
        return routed_layers(weights, sizes.layers)
    return every_so_many(parameters, "expert_layer_period", "expert_layer_offset", (2, 1), sizes.layers)


LAYER = "model.layers.{layer}"
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    **state_spaces.folder_names_of_first(f"{LAYER}.mamba"),
    "norm": "model.final_layernorm.weight",
    "feed_forward_norm": f"{LAYER}.pre_ff_layernorm.weight",
    **names.perceptron(f"{LAYER}.feed_forward"),
    "router": f"{LAYER}.feed_forward.router.weight",
    **names.each_expert(f"{LAYER}.feed_forward.experts"),
    **names.experts_together(f"{LAYER}.feed_forward.switch_mlp"),
    "ssm_step_norm": f"{LAYER}.mamba.dt_layernorm.weight",
    "ssm_write_norm": f"{LAYER}.mamba.b_layernorm.weight",
    "ssm_read_norm": f"{LAYER}.mamba.c_layernorm.weight",
}
IN_FOLDERS = FormatTable(
    ("jamba",),
    HUGGING_FACE,
    config_json.LEFTOVERS.extended(
        settings={
            r"use_(mamba_kernels|mambapy|associative_scan)|num_logits_to_keep|calc_logits_for_entire_prompt": (
                "how it is computed"
            ),
            r"layer_types(\.\d+)?|layers_block_type(\.\d+)?|mamba_inner_layernorms": "what other settings say",
            r"num_experts_per_tok|expert_layer_(period|offset)": "asked where layers have experts",
        }
    ),
)
IN_GGUF = FormatTable(
    ("jamba",),
    {
        **names.GGUF,
        **names.GGUF_EXPERTS,
        **state_spaces.GGUF_NAMES_OF_FIRST,
        **state_spaces.GGUF_NORMS_OF_FIRST,
    },
    GGUF.extended(settings=NO_ROPE),
)
FAMILY = Family("jamba", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

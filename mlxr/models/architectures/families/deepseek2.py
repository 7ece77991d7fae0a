"""DeepSeek-V2, V3 and R1 (DeepSeek-AI 2024) and what has their shape: GLM-4.7-Flash, Kimi K2, Moonlight. Latent
attention, some dense layers, then experts in groups, with some that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, LatentSpec, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF, Leftovers
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.rope_config import score_mscale
from mlxr.models.architectures.rope_frequencies import yarn_mscale
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec, Experts, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

SOFTMAX, SIGMOID = 1, 2
"""GGUF's ``expert_gating_func``."""

GLM_FLASH = {47, 48}, 154880
"""Layers and vocabulary of GLM-4.7-Flash, whose first GGUF files do not say that its scores are sigmoids."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True, usual_heads=False)
    require_activation(parameters, "silu")
    attention, dense = latent_attention(parameters, sizes), sizes.mlp(Activation.SILU)
    experts = routed(parameters, sizes)
    # GGUF files of models without the bias say nothing of it.
    required = experts.spec.sigmoid and parameters.format is not Format.GGUF
    biases = frozenset({"choice_bias"}) if required else frozenset[str]()
    return sizes.decoder(
        [
            LayerSpec(attention, experts, biases=biases) if sparse else LayerSpec(attention, dense)
            for sparse in _sparse(parameters, sizes.layers)
        ]
    )


def latent_attention(parameters: Hyperparameters, sizes: Sizes) -> LatentSpec:
    """Returns the attention that a file of either format describes."""
    parameters.integer("attention.head_count_kv", 0)  # 1 or all of the heads: files count one thing or the other
    rank = parameters.positive("attention.kv_lora_rank", most=MAX_HEAD_DIM)
    if parameters.format is Format.GGUF:
        whole, values, rope_dims = _gguf_heads(parameters)
        style = RopeStyle.NORMAL
    else:
        rope_dims = parameters.positive("qk_rope_head_dim", most=MAX_HEAD_DIM)
        whole = parameters.positive("qk_nope_head_dim", most=MAX_HEAD_DIM) + rope_dims
        values = parameters.positive("attention.value_length_mla", most=MAX_HEAD_DIM)
        style = RopeStyle.NORMAL if parameters.flag("rope_interleave", True) else RopeStyle.NEOX
    if rope_dims % 2 or rope_dims >= whole:
        reason = f"turns {rope_dims} of {whole} dimensions by its rope; some pairs of them are turned, not all"
        raise ModelFileError(parameters.path, reason)
    rope, mscale = _rope(parameters, rope_dims, style)
    return LatentSpec(
        heads=sizes.heads,
        rank=rank,
        plain_dims=whole - rope_dims,
        rope_dims=rope_dims,
        value_dims=values,
        scale=float(whole**-0.5) * mscale,
        rope=rope,
        query_rank=parameters.integer("attention.q_lora_rank", 0),
        norm_eps=sizes.norm_eps,
    )


def _gguf_heads(parameters: Hyperparameters) -> tuple[int, int, int]:
    """Returns how long a head's keys and values are, and how much of the former the rope turns. Files since 2025 tell
    what is kept under the usual names, and have others for this."""
    kept, values = (parameters.positive(f"attention.{part}_length", most=MAX_HEAD_DIM) for part in ("key", "value"))
    return (
        parameters.positive("attention.key_length_mla", kept, MAX_HEAD_DIM),
        parameters.positive("attention.value_length_mla", values, MAX_HEAD_DIM),
        parameters.positive("rope.dimension_count", most=MAX_HEAD_DIM),
    )


def _rope(parameters: Hyperparameters, dims: int, style: RopeStyle) -> tuple[Rope, float]:
    """Returns the rope, and what scores are multiplied by besides one over the root of a key's length.

    GGUF keeps a tenth of ``mscale_all_dim`` and leaves out ``mscale``, which is the same in all models of the kind.
    """
    if parameters.format is not Format.GGUF:
        return model_rope(parameters, dims, style, in_folders=style), score_mscale(parameters)
    rope = model_rope(parameters, dims, style)
    all_dims = 10 * parameters.number("rope.scaling.yarn_log_multiplier", 0.0)
    if parameters.text("rope.scaling.type", "linear") != "yarn" or not all_dims:
        return rope, 1.0
    given = parameters.positive_number("rope.scaling.attn_factor", 1.0)
    return replace(rope, magnitude=given), yarn_mscale(parameters.number("rope.scaling.factor", 1.0), all_dims) ** 2


def routed(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    """Returns the mixture of experts. Scores are sigmoids since V3, whose groups are as good as their two best experts;
    V2's softmax ranks a group by its best."""
    sigmoid = _sigmoid(parameters)
    experts = sizes.experts(parameters, Activation.SILU, normalized=sigmoid and parameters.format is not Format.GGUF)
    groups = parameters.integer("expert_group_count", 0) or 1
    used = parameters.integer("expert_group_used_count", 0) or groups
    usual = "greedy" if parameters.text("model_type", "") == "deepseek_v2" else ""
    if parameters.text("topk_method", usual) == "greedy":
        groups = used = 1
    fits = 0 < used <= groups and experts.spec.experts % groups == 0
    if not fits or experts.spec.used > experts.spec.experts // groups * used:
        count = f"{experts.spec.experts} experts in {groups} groups"
        reason = f"has {count}; of {used} groups each token would use {experts.spec.used} experts"
        raise ModelFileError(parameters.path, reason)
    spec = replace(
        experts.spec,
        sigmoid=sigmoid,
        scale=parameters.number("expert_weights_scale", 1.0) or 1.0,
        groups=groups,
        used_groups=used,
        group_best=2 if sigmoid else 1,
    )
    shared = parameters.integer("expert_shared_count", 0) * experts.hidden
    return replace(experts, spec=spec, shared_hidden=shared)


def _sigmoid(parameters: Hyperparameters) -> bool:
    if parameters.format is not Format.GGUF:
        kind = parameters.text("model_type", "")
        scoring = parameters.text("scoring_func", "softmax" if kind == "deepseek_v2" else "sigmoid")
        if scoring not in ("softmax", "sigmoid"):
            reason = f"scores its experts by {scoring[:60]!r}; mlxr knows softmax and sigmoid"
            raise UnsupportedModelError(parameters.path, reason)
        return scoring == "sigmoid"
    layers, vocabulary = GLM_FLASH
    flash = parameters.integer("block_count") in layers and parameters.integer("vocab_size", 0) == vocabulary
    function = parameters.integer("expert_gating_func", 0) or (SIGMOID if flash else SOFTMAX)
    if function not in (SOFTMAX, SIGMOID):
        reason = f"scores its experts by function {function}; mlxr knows {SOFTMAX} (softmax) and {SIGMOID} (sigmoid)"
        raise UnsupportedModelError(parameters.path, reason)
    return function == SIGMOID


def _sparse(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have experts: a list tells, or how many at the beginning have none."""
    kinds = parameters.texts("mlp_layer_types")
    default = 1 if parameters.text("model_type", "") == "glm4_moe_lite" else 0
    first = parameters.integer("leading_dense_block_count", default)
    if kinds is None:
        return [layer >= first for layer in range(layers)]
    if len(kinds) != layers or not set(kinds) <= {"dense", "sparse"}:
        reason = f"has {len(kinds)} mlp_layer_types for {layers} layers, each of them 'dense' or 'sparse'"
        raise ModelFileError(parameters.path, reason)
    return [kind == "sparse" for kind in kinds]


IN_GGUF = FormatTable(
    ("deepseek2",),
    {
        **names.GGUF,
        **names.GGUF_LATENT_ATTENTION,
        **names.GGUF_EXPERTS,
        **names.GGUF_SHARED_EXPERT,
        "choice_bias": "blk.{layer}.exp_probs_b.bias",
    },
    Leftovers(
        {r"blk\.\d+\.attn_kv_b\.weight": "what attn_k_b and attn_v_b have beside it"}, GGUF.settings, GGUF.neutral
    ),
)
HUGGING_FACE = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_LATENT_ATTENTION,
    **names.HUGGING_FACE_EXPERTS,
    **names.HUGGING_FACE_SHARED_EXPERT,
    "choice_bias": "model.layers.{layer}.mlp.gate.e_score_correction_bias",
}
KINDS = ("deepseek_v2", "deepseek_v3", "glm4_moe_lite", "kimi_k2")
NOTES = Leftovers(
    config_json.LEFTOVERS.tensors,
    {
        **config_json.LEFTOVERS.settings,
        r"ep_size": "how its makers ran it",
        r"(qk_)?head_dim": "follows from the parts of a head",
        r"aux_loss_alpha|seq_aux": "of training",
    },
    {**(config_json.LEFTOVERS.neutral or {}), "moe_layer_freq": (1,)},
)
FAMILY = Family(
    "deepseek2",
    read,
    {
        Format.GGUF: IN_GGUF,
        Format.HUGGING_FACE: FormatTable(KINDS, HUGGING_FACE, NOTES),
        Format.MLX: FormatTable(KINDS, {**HUGGING_FACE, **names.MLX_LATENT_ATTENTION, **names.MLX_EXPERTS}, NOTES),
    },
)

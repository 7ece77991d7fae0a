"""DeepSeek-V2, V3 and R1 (DeepSeek-AI 2024) and what has their shape: GLM-4.7-Flash, Kimi K2, Moonlight, Youtu.
Latent attention, some dense layers or only these, then experts in groups, with some that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.latent_attention import latent_attention
from mlxr.models.architectures.layer_kinds import sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.routing import in_groups, named_sigmoid, numbered_sigmoid, weights_scale
from mlxr.models.architectures.sizes import Sizes, require_activation, routed_experts
from mlxr.models.architectures.spec import DecoderSpec, Experts, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True, usual_heads=False)
    require_activation(parameters, "silu")
    attention, dense = latent_attention(parameters, sizes), sizes.mlp(Activation.SILU)
    if not routed_experts(parameters):
        for key in ("expert_feed_forward_length", "leading_dense_block_count"):
            parameters.integer(key, 0)  # of experts that there are none of
        return sizes.decoder([LayerSpec(attention, dense)] * sizes.layers)
    dense_layers = 1 if parameters.text("model_type", "") == "glm4_moe_lite" else 0
    sparse = sparse_layers(parameters, sizes.layers, dense_layers)
    # Scores have a bias where they are sigmoids. GLM-4.7-Flash's GGUF files have no other sign of it.
    biased = True in sparse and f"blk.{sparse.index(True)}.exp_probs_b.bias" in weights
    experts = routed(parameters, sizes, biased)
    return sizes.decoder([LayerSpec(attention, experts if has else dense) for has in sparse])


def routed(parameters: Hyperparameters, sizes: Sizes, biased: bool) -> Experts:
    """Returns the mixture of experts. Scores are sigmoids since V3, whose groups are as good as their two best experts;
    V2's softmax ranks a group by its best. ``biased``: whether a GGUF file has a bias for scores."""
    folder = parameters.format is not Format.GGUF
    if folder:
        usual = "softmax" if parameters.text("model_type", "") in ("deepseek_v2", "mistral4") else "sigmoid"
        sigmoid = named_sigmoid(parameters, "scoring_func", usual)
    else:
        sigmoid = numbered_sigmoid(parameters, biased)
    second = not sigmoid and parameters.text("model_type", "deepseek_v2") == "deepseek_v2"
    experts = sizes.experts(parameters, Activation.SILU, normalized=folder and not second)
    usual = "greedy" if folder and second else ""
    greedy = parameters.text("topk_method", usual) == "greedy"
    spec = replace(
        in_groups(parameters, experts.spec, whole=greedy),
        sigmoid=sigmoid,
        scale=weights_scale(parameters),
        group_best=1 if second else 2,
    )
    shared = parameters.integer("expert_shared_count", 0) * experts.hidden
    # GGUF files of models without the bias say nothing of it.
    return replace(experts, spec=spec, shared_hidden=shared, choice_bias=sigmoid and folder)


IN_GGUF = FormatTable(
    ("deepseek2",),
    {
        **names.GGUF,
        **names.GGUF_LATENT_ATTENTION,
        **names.GGUF_DEEPSEEK_EXPERTS,
    },
    GGUF.extended(tensors={r"blk\.\d+\.attn_kv_b\.weight": "what attn_k_b and attn_v_b have beside it"}),
    drafting=names.GGUF_DRAFTING,
)
IN_FOLDERS_NAMES = {
    **names.HUGGING_FACE,
    **names.MLX_LATENT_ATTENTION,
    **names.HUGGING_FACE_DEEPSEEK_EXPERTS,
    **names.MLX_EXPERTS,
}
KINDS = ("deepseek_v2", "deepseek_v3", "glm4_moe_lite", "kimi_k2", "youtu")
NOTES = config_json.LEFTOVERS.extended(
    settings={
        r"ep_size": "how its makers ran it",
        r"(qk_)?head_dim": "follows from the parts of a head",
        r"rope_(scaling|parameters)\.max_position_embeddings": "said outside, too",
        r"aux_loss_alpha|seq_aux|embedding_initializer_range": "of training",
    },
    neutral={"moe_layer_freq": (1,)},
)
IN_FOLDERS = FormatTable(KINDS, IN_FOLDERS_NAMES, NOTES, drafting=names.HUGGING_FACE_DRAFTING)
FAMILY = Family(
    "deepseek2",
    read,
    {
        Format.GGUF: IN_GGUF,
        Format.HUGGING_FACE: IN_FOLDERS,
        Format.MLX: IN_FOLDERS,
    },
)

"""Kimi Linear (Moonshot AI 2025): layers of Kimi's delta rule, with latent attention without a rope between them, a
dense layer, then experts whose scores are sigmoids, with some that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, delta_rules, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.latent_attention import latent_attention
from mlxr.models.architectures.layer_kinds import sparse_layers
from mlxr.models.architectures.leftovers import GGUF, NO_ROPE
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, MixerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True, usual_heads=False)
    require_activation(parameters, "silu")
    require_activation(parameters, "sigmoid", key="moe_router_activation_func")
    recurs = delta_rules.kimi_delta_layers(parameters, sizes.layers)
    # The kind that no layer turns: what would be turned is a key's as it is.
    attention: MixerSpec = replace(latent_attention(parameters, sizes), rope=None)
    delta = delta_rules.kimi_delta(parameters, sizes)
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    return sizes.decoder(
        [
            LayerSpec(delta if recurrent else attention, experts if sparse else mlp)
            for recurrent, sparse in zip(recurs, sparse_layers(parameters, sizes.layers, 1), strict=True)
        ]
    )


GGUF_NAMES: Names = {
    **names.GGUF,
    **names.GGUF_LATENT_ATTENTION,
    **names.GGUF_DEEPSEEK_EXPERTS,
    **delta_rules.GGUF_KIMI,
}
LAYER = "model.layers.{layer}"
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    **names.MLX_LATENT_ATTENTION,
    "router": f"{LAYER}.block_sparse_moe.gate.weight",
    "choice_bias": f"{LAYER}.block_sparse_moe.gate.e_score_correction_bias",
    **names.each_expert(f"{LAYER}.block_sparse_moe.experts", names.MIXTRAL),
    **names.shared_expert(f"{LAYER}.block_sparse_moe.shared_experts"),
    **delta_rules.folder_kimi(f"{LAYER}.self_attn", "{}_conv1d"),
}
IN_MLX: Names = {
    **HUGGING_FACE,
    "router": f"{LAYER}.mlp.gate.weight",
    "choice_bias": f"{LAYER}.mlp.e_score_correction_bias",
    **names.MLX_EXPERTS,
    **names.shared_expert(f"{LAYER}.mlp.shared_experts"),
    **delta_rules.folder_kimi(f"{LAYER}.self_attn", "{}_conv.conv"),
}
NOTES = config_json.LEFTOVERS.extended(
    settings={
        rf"{delta_rules.OF_KIMI}\..*|linear_conv_kernel_dim": "what other settings say",
        r"(qk_)?head_dim|ep_size|layer_types(\.\d+)?": "what other settings say",
        **config_json.NO_ROPE,
        r"aux_loss_alpha|seq_aux": "of training",
    },
    neutral={
        "mla_use_nope": (True,),
        "moe_layer_freq": (1,),
        "num_nextn_predict_layers": (0,),
        "use_grouped_topk": (True,),
    },
)
SETTINGS = {
    "model_max_length": "max_position_embeddings",
    "moe_renormalize": "norm_topk_prob",
    "num_expert_group": "n_group",
    "num_experts_per_token": "num_experts_per_tok",
    "num_shared_experts": "n_shared_experts",
}
FAMILY = Family(
    "kimi-linear",
    read,
    {
        Format.GGUF: FormatTable(
            ("kimi-linear",),
            GGUF_NAMES,
            GGUF.extended(
                tensors={r"blk\.\d+\.attn_kv_b\.weight": "what attn_k_b and attn_v_b have beside it"},
                settings=NO_ROPE,
            ),
        ),
        Format.HUGGING_FACE: FormatTable(("kimi_linear",), HUGGING_FACE, NOTES, keys=SETTINGS),
        Format.MLX: FormatTable(("kimi_linear",), IN_MLX, NOTES, keys=SETTINGS),
    },
)

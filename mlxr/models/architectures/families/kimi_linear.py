"""Kimi Linear (Moonshot AI 2025): layers of Kimi's delta rule, with latent attention without a rope between them, a
dense layer, then experts whose scores are sigmoids, with some that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, KimiDeltaSpec
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.latent_attention import latent_attention
from mlxr.models.architectures.layer_kinds import listed_layers, sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, Sizes, require_activation
from mlxr.models.architectures.spec import CHOICE_BIAS, DecoderSpec, LayerSpec, MixerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

LAYER_TYPES = {"linear_attention": True, "full_attention": False}
OF_DELTA = "linear_attn_config"


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True, usual_heads=False)
    require_activation(parameters, "silu")
    require_activation(parameters, "sigmoid", key="moe_router_activation_func")
    recurs = _recurrent(parameters, sizes.layers)
    # The kind that no layer turns: what would be turned is a key's as it is.
    attention: MixerSpec = replace(latent_attention(parameters, sizes), rope=None)
    delta = _delta(parameters, sizes)
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    return sizes.decoder(
        [
            LayerSpec(
                delta if recurrent else attention,
                experts if sparse else mlp,
                biases=CHOICE_BIAS if sparse else frozenset(),
            )
            for recurrent, sparse in zip(recurs, sparse_layers(parameters, sizes.layers, 1), strict=True)
        ]
    )


def _delta(parameters: Hyperparameters, sizes: Sizes) -> KimiDeltaSpec:
    if parameters.format is Format.GGUF:
        heads, size, taps = sizes.heads, parameters.positive("kda.head_dim", most=MAX_HEAD_DIM), "ssm.conv_kernel"
    else:
        heads = parameters.positive("linear_num_heads", parameters.positive(f"{OF_DELTA}.num_heads", 32), MAX_HEADS)
        size = parameters.positive("linear_head_dim", parameters.positive(f"{OF_DELTA}.head_dim", 128), MAX_HEAD_DIM)
        inner = f"{OF_DELTA}.short_conv_kernel_size"
        taps = inner if inner in parameters else "linear_conv_kernel_dim"
    return KimiDeltaSpec(heads, size, state_spaces.taps_of(parameters, taps), sizes.norm_eps)


def _recurrent(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have the delta rule instead of attention. Folders count them from 1."""
    if parameters.format is Format.GGUF:
        return [count == 0 for count in parameters.each("attention.head_count_kv", layers)]
    full = parameters.integers(f"{OF_DELTA}.full_attn_layers")
    if full is not None:
        return [layer + 1 not in full for layer in range(layers)]
    listed = listed_layers(parameters, parameters.texts("layer_types"), layers, LAYER_TYPES)
    return listed or [layer == 0 or layer % 4 != 0 for layer in range(layers)]


GGUF_NAMES: Names = {
    **names.GGUF,
    **names.GGUF_LATENT_ATTENTION,
    **names.GGUF_DEEPSEEK_EXPERTS,
    "delta_query": "blk.{layer}.attn_q.weight",
    "delta_key": "blk.{layer}.attn_k.weight",
    "delta_value": "blk.{layer}.attn_v.weight",
    "delta_output": "blk.{layer}.attn_output.weight",
    "delta_query_conv": "blk.{layer}.ssm_conv1d_q.weight",
    "delta_key_conv": "blk.{layer}.ssm_conv1d_k.weight",
    "delta_value_conv": "blk.{layer}.ssm_conv1d_v.weight",
    "delta_alpha_down": "blk.{layer}.ssm_f_a.weight",
    "delta_alpha_up": "blk.{layer}.ssm_f_b.weight",
    "delta_alpha_bias": "blk.{layer}.ssm_dt.bias",
    "delta_beta": "blk.{layer}.ssm_beta.weight",
    "delta_gate_down": "blk.{layer}.ssm_g_a.weight",
    "delta_gate_up": "blk.{layer}.ssm_g_b.weight",
    "delta_decay": "blk.{layer}.ssm_a",
    "delta_norm": "blk.{layer}.ssm_norm.weight",
}
LAYER = "model.layers.{layer}"
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    **names.MLX_LATENT_ATTENTION,
    "router": f"{LAYER}.block_sparse_moe.gate.weight",
    "choice_bias": f"{LAYER}.block_sparse_moe.gate.e_score_correction_bias",
    "experts_gate": f"{LAYER}.block_sparse_moe.experts.{{expert}}.w1.weight",
    "experts_up": f"{LAYER}.block_sparse_moe.experts.{{expert}}.w3.weight",
    "experts_down": f"{LAYER}.block_sparse_moe.experts.{{expert}}.w2.weight",
    "shared_gate": f"{LAYER}.block_sparse_moe.shared_experts.gate_proj.weight",
    "shared_up": f"{LAYER}.block_sparse_moe.shared_experts.up_proj.weight",
    "shared_down": f"{LAYER}.block_sparse_moe.shared_experts.down_proj.weight",
    "delta_query": f"{LAYER}.self_attn.q_proj.weight",
    "delta_key": f"{LAYER}.self_attn.k_proj.weight",
    "delta_value": f"{LAYER}.self_attn.v_proj.weight",
    "delta_output": f"{LAYER}.self_attn.o_proj.weight",
    "delta_query_conv": f"{LAYER}.self_attn.q_conv1d.weight",
    "delta_key_conv": f"{LAYER}.self_attn.k_conv1d.weight",
    "delta_value_conv": f"{LAYER}.self_attn.v_conv1d.weight",
    "delta_alpha_down": f"{LAYER}.self_attn.f_a_proj.weight",
    "delta_alpha_up": f"{LAYER}.self_attn.f_b_proj.weight",
    "delta_alpha_bias": f"{LAYER}.self_attn.dt_bias",
    "delta_beta": f"{LAYER}.self_attn.b_proj.weight",
    "delta_gate_down": f"{LAYER}.self_attn.g_a_proj.weight",
    "delta_gate_up": f"{LAYER}.self_attn.g_b_proj.weight",
    "delta_log_decay": f"{LAYER}.self_attn.A_log",
    "delta_norm": f"{LAYER}.self_attn.o_norm.weight",
}
IN_MLX: Names = {
    **HUGGING_FACE,
    "router": f"{LAYER}.mlp.gate.weight",
    "choice_bias": f"{LAYER}.mlp.e_score_correction_bias",
    **names.MLX_EXPERTS,
    "shared_gate": f"{LAYER}.mlp.shared_experts.gate_proj.weight",
    "shared_up": f"{LAYER}.mlp.shared_experts.up_proj.weight",
    "shared_down": f"{LAYER}.mlp.shared_experts.down_proj.weight",
    "delta_query_conv": f"{LAYER}.self_attn.q_conv.conv.weight",
    "delta_key_conv": f"{LAYER}.self_attn.k_conv.conv.weight",
    "delta_value_conv": f"{LAYER}.self_attn.v_conv.conv.weight",
}
NOTES = config_json.LEFTOVERS.extended(
    settings={
        rf"(qk_)?head_dim|ep_size|linear_conv_kernel_dim|{OF_DELTA}\..*|layer_types(\.\d+)?": "what other settings say",
        r"rope_(theta|scaling|parameters)(\..*)?|rope_interleave": "its attention has no rope",
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
                settings={r"rope\..*": "its attention has no rope"},
            ),
        ),
        Format.HUGGING_FACE: FormatTable(("kimi_linear",), HUGGING_FACE, NOTES, keys=SETTINGS),
        Format.MLX: FormatTable(("kimi_linear",), IN_MLX, NOTES, keys=SETTINGS),
    },
)

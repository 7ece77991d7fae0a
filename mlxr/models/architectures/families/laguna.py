"""Laguna (Poolside 2026): windows between layers that see everything, each kind with a rope and a number of query heads
of its own; norms and softplus gates on heads; dense layers, then experts whose scores are sigmoids beside one that
every token uses."""

from __future__ import annotations

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.laguna_attention import attentions, query_heads
from mlxr.models.architectures.layer_kinds import sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.routing import sigmoid_experts, with_shared
from mlxr.models.architectures.sizes import MAX_LAYERS, Sizes, require_activation
from mlxr.models.architectures.spec import ATTENTION_BIASES, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

SCALING = "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow"
WINDOWS = {
    f"swa_rope_parameters.{key}": f"rope_parameters.sliding_attention.{key}"
    for key in ("rope_type", "type", "rope_theta", *SCALING, "partial_rotary_factor")
}
"""The rope of windows as Poolside's older folders have it, and as others do."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    heads_of = query_heads(parameters, parameters.positive("block_count", most=MAX_LAYERS))
    sizes = Sizes.read(parameters, head_dim=128, experts=True, heads=max(heads_of))
    require_activation(parameters, "silu")
    require_activation(parameters, "sigmoid", key="moe_router_score_func")
    if parameters.flag("moe_apply_router_weight_on_input", False):
        raise UnsupportedModelError(parameters.path, "weighs what experts get; mlxr knows weighing what they give")
    if parameters.number("moe_router_logit_softcapping", 0.0):
        raise UnsupportedModelError(parameters.path, "caps its router's logits, which mlxr does not know")
    mlp = sizes.mlp(Activation.SILU)
    experts = with_shared(parameters, sigmoid_experts(parameters, sizes, Activation.SILU))
    biases = ATTENTION_BIASES if parameters.flag("attention_bias", False) else frozenset[str]()
    halves = [experts if sparse else mlp for sparse in sparse_layers(parameters, sizes.layers, 1)]
    mixers = attentions(parameters, weights, sizes, heads_of)
    return sizes.decoder(
        [LayerSpec(mixer, half, Norms(heads=True), biases) for mixer, half in zip(mixers, halves, strict=True)]
    )


LAYER = "model.layers.{layer}"
IN_GGUF = FormatTable(
    ("laguna",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_DEEPSEEK_EXPERTS,
        "attention_gate": "blk.{layer}.attn_gate.weight",
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("laguna",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_DEEPSEEK_EXPERTS,
        **names.MLX_EXPERTS,
        "output_bias": f"{LAYER}.self_attn.o_proj.bias",
        "attention_gate": f"{LAYER}.self_attn.g_proj.weight",
    },
    config_json.LEFTOVERS.extended(
        settings={r"mlp_only_layers": "said by mlp_layer_types"},
        neutral={
            "decoder_sparse_step": (1,),
            "gating": (True,),  # beside gating_types
            "moe_router_use_sigmoid": (True,),
            "qkv_bias": (False,),
            "swa_attention_sink_enabled": (False,),
        },
    ),
    keys={"moe_routed_scaling_factor": "routed_scaling_factor", **WINDOWS},
    # As Poolside and mlx-lm write them, and as transformers does.
    renamed={
        r"\.mlp\.experts\.e_score_correction_bias$": ".mlp.gate.e_score_correction_bias",
        r"\.mlp\.shared_expert\.": ".mlp.shared_experts.",
        r"\.mlp\.gate\.proj\.": ".mlp.gate.",
    },
)
FAMILY = Family(
    "laguna", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, written=False
)

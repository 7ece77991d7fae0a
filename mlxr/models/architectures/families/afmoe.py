"""Trinity (Arcee 2025, AFMoE): gated attention, norms on every head and on both sides of each half, windows with a rope
between layers that see everything without one, and behind some dense layers experts whose scores are sigmoids."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Gate, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import dense_first, patterned_windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer sees everything, where a file does not say."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    scale, norms, mlp = scale_of(parameters, sizes.head_dim), Norms(after=True, heads=True), sizes.mlp(Activation.SILU)
    experts = sigmoid_experts(parameters, sizes, Activation.SILU)
    sees = patterned_windows(parameters, sizes, PATTERN)
    scaled = parameters.format is Format.GGUF or parameters.flag("mup_enabled", False)
    return sizes.decoder(
        [
            LayerSpec(
                replace(sizes.attention(rope if window else None, scale, window), gate=Gate.SIGMOID),
                experts if sparse else mlp,
                norms,
            )
            for sparse, window in zip(dense_first(parameters, sizes.layers, 1), sees, strict=True)
        ],
        embedding_scale=sizes.width**0.5 if scaled else 1.0,
    )


IN_GGUF = FormatTable(
    ("afmoe",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_POST_NORMS,
        **names.GGUF_DEEPSEEK_EXPERTS,
        "attention_gate": "blk.{layer}.attn_gate.weight",
    },
    GGUF,
)
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("afmoe",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_EXPERTS,
        **names.HUGGING_FACE_SHARED_EXPERT,
        **names.experts_together(f"{LAYER}.mlp.experts"),
        "attention_gate": f"{LAYER}.self_attn.gate_proj.weight",
        "attention_post_norm": f"{LAYER}.post_attention_layernorm.weight",
        "feed_forward_norm": f"{LAYER}.pre_mlp_layernorm.weight",
        "feed_forward_post_norm": f"{LAYER}.post_mlp_layernorm.weight",
        "router": f"{LAYER}.mlp.router.gate.weight",
        "choice_bias": f"{LAYER}.mlp.expert_bias",
    },
    config_json.LEFTOVERS.extended(
        settings={r"load_balance_coeff|use_grouped_mm|attn_implementation": "of training, and how its makers ran it"},
        neutral={
            "score_func": (),
            "num_expert_groups": (1,),
            "num_limited_groups": (1,),
        },
    ),
    keys={
        "global_attn_every_n_layers": "sliding_window_pattern",
        "num_dense_layers": "first_k_dense_replace",
        "num_shared_experts": "n_shared_experts",
        "route_norm": "norm_topk_prob",
        "route_scale": "routed_scaling_factor",
    },
)
FAMILY = Family("afmoe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

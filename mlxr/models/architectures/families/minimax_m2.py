"""MiniMax M2 (MiniMax 2025): experts whose scores are sigmoids, norms on queries and keys of all heads together, and a
rope on part of each head."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128, experts=True)
    require_activation(parameters, "silu")
    rotated = parameters.positive("rotary_dim", sizes.head_dim) / sizes.head_dim
    rope = model_rope(parameters, partial_rope(parameters, sizes, rotated), RopeStyle.NEOX, default_base=5_000_000.0)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    experts = sigmoid_experts(parameters, sizes, Activation.SILU, sizes.hidden)
    return sizes.decoder([LayerSpec(attention, experts, Norms(together=True))] * sizes.layers)


LAYER = "model.layers.{layer}.block_sparse_moe"
IN_GGUF = FormatTable(
    ("minimax-m2",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_EXPERTS,
        "choice_bias": "blk.{layer}.exp_probs_b.bias",
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("minimax_m2",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        "router": f"{LAYER}.gate.weight",
        **names.each_expert(f"{LAYER}.experts", names.MIXTRAL),
        **names.experts_together(f"{LAYER}.switch_mlp"),
        "choice_bias": f"{LAYER}.e_score_correction_bias",
    },
    config_json.LEFTOVERS.extended(
        settings={r"(num_)?mtp_.*|mlp_intermediate_size|layernorm_.*_beta": "of layers and settings that no layer has"},
        neutral={
            "use_qk_norm": (True,),
            "use_routing_bias": (True,),
            "use_mtp": (True, False),
            "shared_intermediate_size": (0,),
            "shared_moe_mode": (),
        },
    ),
)
FAMILY = Family("minimax-m2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

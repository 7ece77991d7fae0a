"""Hunyuan 3 (Tencent 2026): Qwen3's attention, a dense layer, then experts whose scores are sigmoids, with some that
every token uses."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import sigmoid_experts, with_shared
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

BASE = 11_158_840.0


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, default_base=BASE)
    attention, norms = sizes.attention(rope, scale_of(parameters, sizes.head_dim)), Norms(heads=True)
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    if parameters.format is Format.GGUF:
        experts = with_shared(parameters, experts)  # files tell how long they are, and do not count them
    sparse = sparse_layers(parameters, sizes.layers, 1, weights)
    return sizes.decoder([LayerSpec(attention, experts if has else mlp, norms) for has in sparse])


IN_GGUF = FormatTable(
    ("hy_v3",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_EXPERTS,
        **names.GGUF_SHARED_EXPERT,
        "choice_bias": "blk.{layer}.exp_probs_b",
    },
    GGUF,
)
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("hy_v3",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_EXPERTS,
        **names.MLX_EXPERTS,
        "router": f"{LAYER}.mlp.router.gate.weight",
        "choice_bias": f"{LAYER}.mlp.expert_bias",
        **names.shared_expert(f"{LAYER}.mlp.shared_mlp"),
    },
    config_json.LEFTOVERS.extended(
        settings={
            r"enable_.*_fp32.*": "how its makers ran it: here sums are float32",
            r"expert_hidden_dim": "said by another name, too",
        },
        neutral={
            "moe_router_enable_expert_bias": (True,),
            "moe_router_use_sigmoid": (True,),
            "qk_norm": (True,),
            "use_qk_norm": (True,),
        },
    ),
    keys={
        "num_shared_experts": "n_shared_experts",
        "route_norm": "norm_topk_prob",
        "router_scaling_factor": "routed_scaling_factor",
    },
)
FAMILY = Family("hy_v3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

"""Ling 2.0 and Ring (Ant Group 2025, Bailing's mixtures of experts), and Sarvam: experts behind some dense layers, with
some that every token uses; scores that are sigmoids, norms on every head and a rope on half of each. Folders of the
first Ling, which has none of the three, are of this family, too."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import dense_first
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import named_sigmoid, sigmoid_experts, weights_scale, with_shared
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, Experts, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    if parameters.format is Format.GGUF:
        sigmoid = heads = True
        dims = sizes.rope_dims
    else:
        sarvam = parameters.text("model_type", "") == "sarvam_moe"
        heads = parameters.flag("use_qk_norm", sarvam)
        sigmoid = named_sigmoid(parameters, "score_function", "sigmoid" if sarvam else "softmax")
        share = parameters.positive("rotary_dim", sizes.head_dim) / sizes.head_dim
        dims = partial_rope(parameters, sizes, share)
    return decoder(parameters, sizes, model_rope(parameters, dims, RopeStyle.NEOX), heads, sigmoid)


def decoder(parameters: Hyperparameters, sizes: Sizes, rope: Rope, heads: bool, sigmoid: bool) -> DecoderSpec:
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    mlp, experts = sizes.mlp(Activation.SILU), _experts(parameters, sizes, sigmoid)
    biased = sigmoid and (parameters.format is Format.GGUF or parameters.flag("moe_router_enable_expert_bias", True))
    experts, norms = replace(experts, choice_bias=biased), Norms(heads=heads)
    return sizes.decoder(
        [LayerSpec(attention, experts if sparse else mlp, norms) for sparse in dense_first(parameters, sizes.layers, 0)]
    )


def _experts(parameters: Hyperparameters, sizes: Sizes, sigmoid: bool) -> Experts:
    """Returns the mixture. The shared experts are one perceptron, of so many times the numbers of one."""
    if sigmoid:
        experts = sigmoid_experts(parameters, sizes, Activation.SILU)
    else:
        experts = sizes.experts(parameters, Activation.SILU, normalized=True)
        experts = replace(experts, spec=replace(experts.spec, scale=weights_scale(parameters)))
    experts = with_shared(parameters, experts)
    times = max(0, parameters.integer("expert_shared_count", 0))
    return replace(experts, shared_hidden=experts.shared_hidden * times)


IN_GGUF = FormatTable(
    ("bailingmoe2",), {**names.GGUF, **names.GGUF_QKV, **names.GGUF_HEAD_NORMS, **names.GGUF_DEEPSEEK_EXPERTS}, GGUF
)
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("bailing_moe", "bailing_moe_v2", "sarvam_moe"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_DEEPSEEK_EXPERTS,
        **names.MLX_EXPERTS,
        "embedding": "model.word_embeddings.weight",
        "query_key_value": f"{LAYER}.attention.query_key_value.weight",
        "query_norm": f"{LAYER}.attention.query_layernorm.weight",
        "key_norm": f"{LAYER}.attention.key_layernorm.weight",
        "output": f"{LAYER}.attention.dense.weight",
        "choice_bias": f"{LAYER}.mlp.gate.expert_bias",
    },
    config_json.DRAFTING_LEFTOVERS.extended(
        settings={
            r"router_(dtype|type)|multi_gate|moe_router_topk_scaling_factor|ep_size": "how its makers ran it",
            r"seq_aux|.*_aux_loss_alpha": "of training",
        },
        neutral={
            "norm_head": (False,),
            "norm_softmax": (False,),
            "use_qkv_bias": (False,),
            "use_rmsnorm": (True,),
            "moe_router_enable_shared_expert": (True,),
            "moe_router_enable_routed_scaling": (True,),
        },
    ),
    keys={
        "num_shared_experts": "n_shared_experts",
        "moe_shared_expert_intermediate_size": "shared_expert_intermediate_size",
    },
)
IN_MLX = replace(IN_FOLDERS, names={**IN_FOLDERS.names, "router": f"{LAYER}.mlp.gate.gate_proj.weight"})
FAMILY = Family("bailingmoe2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_MLX})

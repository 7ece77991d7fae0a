"""Hunyuan (Tencent 2025), dense and with experts: norms on every query and key head, behind the rope."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    """Reads the dense models'."""
    sizes = Sizes.read(parameters)
    return _decoder(parameters, sizes, sizes.mlp(Activation.SILU))


def read_with_experts(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    if parameters.format is not Format.GGUF:
        count, used, hidden, shared = (
            _same(parameters, key, default)
            for key, default in (
                ("num_experts", None),
                ("moe_topk", None),
                ("moe_intermediate_size", sizes.hidden),
                ("num_shared_expert", 1),
            )
        )
        counts = {"num_experts": count, "num_experts_per_tok": used, "moe_intermediate_size": hidden}
        values = {**parameters.values, **counts}
        given = Hyperparameters(parameters.path, values, format=parameters.format, keys=config_json.KEYS)
        experts = sizes.experts(given, Activation.SILU, normalized=True, hidden=hidden)
        experts = replace(experts, hidden=hidden, shared_hidden=shared * hidden)
    else:
        parameters.integer("expert_shared_count", 1)
        experts = sizes.experts(parameters, Activation.SILU, normalized=True)
        shared = parameters.positive("expert_shared_feed_forward_length", most=MAX_HIDDEN)
        experts = replace(experts, shared_hidden=shared)
    return _decoder(parameters, sizes, experts)


def _decoder(parameters: Hyperparameters, sizes: Sizes, half: FeedForward) -> DecoderSpec:
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    attention = replace(sizes.attention(rope, scale_of(parameters, sizes.head_dim)), rope_first=True)
    return sizes.decoder([LayerSpec(attention, half, Norms(heads=True))] * sizes.layers)


def _same(parameters: Hyperparameters, key: str, default: int | None) -> int:
    """Returns a number that a folder may have for each layer. Raises ``UnsupportedModelError`` where they differ."""
    if not parameters.is_list(key):
        return parameters.positive(key, default, MAX_HIDDEN)
    listed = parameters.integers(key) or [0]
    if len(set(listed)) != 1 or not 0 < listed[0] <= MAX_HIDDEN:
        raise UnsupportedModelError(parameters.path, f"has layers that differ in {key}; mlxr runs equal ones")
    return listed[0]


LAYER = "model.layers.{layer}"
HEAD_NORMS = {
    "query_norm": f"{LAYER}.self_attn.query_layernorm.weight",
    "key_norm": f"{LAYER}.self_attn.key_layernorm.weight",
}
GGUF_LEFTOVERS = GGUF.extended(neutral={"expert_count": (0, 1)})
FOLDER_LEFTOVERS = config_json.LEFTOVERS.extended(
    settings={
        r"im_.*_id|mask_init_id|pad_id|text_.*_id|org_vocab_size|eod_.*": "the tokenizer's",
        r"attention_head_dim": "what head_dim says, too",
        r"cla_share_factor|moe_router_.*|group_limited_.*|dense_list|class_num|num_media_embeds": (
            "of parts that flags beside them turn off"
        ),
        r"num_experts|num_shared_expert": "of one expert, which is a perceptron",
        r"anyres_.*|vit_.*|img_.*|image_.*|video_.*|vision_.*|skip_cls_token|max_(image|vit).*": "of images",
    },
    neutral={
        "add_classification_head": (False,),
        "moe_drop_tokens": (False,),
        "moe_layer_num_skipped": (0,),
        "moe_random_routing_dropped_token": (False,),
        "norm_topk_prob": (True,),
        "position_embedding_xdrope": (False,),
        "routed_scaling_factor": (False, 1.0),
        "use_cla": (False,),
        "use_mixed_mlp_moe": (True, False),
        "use_mla": (False,),
        "use_qk_norm": (True,),
        "use_rotary_pos_emb": (True,),
    },
)
DENSE = {**names.HUGGING_FACE, **HEAD_NORMS}
WITH_EXPERTS = {
    **DENSE,
    **names.HUGGING_FACE_EXPERTS,
    "router": f"{LAYER}.mlp.gate.wg.weight",
    "shared_gate": f"{LAYER}.mlp.shared_mlp.gate_proj.weight",
    "shared_up": f"{LAYER}.mlp.shared_mlp.up_proj.weight",
    "shared_down": f"{LAYER}.mlp.shared_mlp.down_proj.weight",
    **names.MLX_EXPERTS,
}
FAMILY = Family(
    "hunyuan-dense",
    read,
    {
        Format.GGUF: FormatTable(("hunyuan-dense",), {**names.GGUF, **names.GGUF_HEAD_NORMS}, GGUF_LEFTOVERS),
        Format.HUGGING_FACE: FormatTable(("hunyuan_v1_dense",), DENSE, FOLDER_LEFTOVERS),
        Format.MLX: FormatTable(("hunyuan_v1_dense",), DENSE, FOLDER_LEFTOVERS),
    },
)
MIXTURES = Family(
    "hunyuan-moe",
    read_with_experts,
    {
        Format.GGUF: FormatTable(
            ("hunyuan-moe",),
            {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT},
            GGUF_LEFTOVERS,
        ),
        Format.HUGGING_FACE: FormatTable(("hunyuan_v1_moe",), WITH_EXPERTS, FOLDER_LEFTOVERS),
        Format.MLX: FormatTable(("hunyuan_v1_moe",), WITH_EXPERTS, FOLDER_LEFTOVERS),
    },
)

"""Hunyuan's dense models (Tencent 2025): norms on every query and key head, behind the rope."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    return decoder(parameters, sizes, sizes.mlp(Activation.SILU))


def decoder(parameters: Hyperparameters, sizes: Sizes, half: FeedForward) -> DecoderSpec:
    """Returns the model with ``half`` as every layer's feed-forward."""
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    attention = replace(sizes.attention(rope, scale_of(parameters, sizes.head_dim)), rope_first=True)
    return sizes.decoder([LayerSpec(attention, half, Norms(heads=True))] * sizes.layers)


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
FOLDER_NAMES = {**names.HUGGING_FACE, **HEAD_NORMS}
IN_GGUF = FormatTable(("hunyuan-dense",), {**names.GGUF, **names.GGUF_HEAD_NORMS}, GGUF_LEFTOVERS)
IN_FOLDERS = FormatTable(("hunyuan_v1_dense",), FOLDER_NAMES, FOLDER_LEFTOVERS)
FAMILY = Family("hunyuan-dense", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

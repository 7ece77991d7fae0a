"""GLM-4.5, 4.6 and 4.7 (Zhipu 2025): some dense layers, then experts whose scores are sigmoids, with some that every
token uses; a rope on half of each head, biases on queries, keys and values, and in some models norms of heads."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import dense_first
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, partial_rope(parameters, sizes, 0.5), RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    if parameters.format is Format.GGUF:
        heads, biases = "blk.0.attn_q_norm.weight" in weights, frozenset[str]()
    else:
        heads = parameters.flag("use_qk_norm", False)
        biases = QKV_BIASES if parameters.flag("attention_bias", False) else frozenset[str]()
    return sizes.decoder(
        [
            LayerSpec(attention, experts if sparse else mlp, Norms(heads=heads), biases)
            for sparse in dense_first(parameters, sizes.layers, 1)
        ]
    )


HUGGING_FACE = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_ATTENTION_BIASES,
    **names.HUGGING_FACE_HEAD_NORMS,
    **names.HUGGING_FACE_DEEPSEEK_EXPERTS,
    **names.MLX_EXPERTS,
}
IN_GGUF = FormatTable(
    ("glm4moe",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_DEEPSEEK_EXPERTS,
        "feed_forward_norm": "blk.{layer}.post_attention_norm.weight",
    },
    GGUF.extended(settings={r"rope\.dimension_sections": "of places in images; in text they are all one"}),
    drafting=names.GGUF_DRAFTING,
)
IN_FOLDERS = FormatTable(
    ("glm4_moe", "glm4v_moe_text", "solar_open"),
    HUGGING_FACE,
    config_json.LEFTOVERS,
    drafting=names.HUGGING_FACE_DRAFTING,
)
FAMILY = Family(
    "glm4moe",
    read,
    {
        Format.GGUF: IN_GGUF,
        Format.HUGGING_FACE: IN_FOLDERS,
        Format.MLX: IN_FOLDERS,
    },
)

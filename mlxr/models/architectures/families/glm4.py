"""GLM-4-0414 (Zhipu 2025): norms before and after each half, a rope on part of each head, biases on queries, keys and
values; gate and up lie above one another."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128)
    require_activation(parameters, "silu")
    dims = partial_rope(parameters, sizes)
    # Files of models that look at images, too, have queries and keys in the order of ropes whose halves turn together.
    sections = parameters.integers("rope.dimension_sections") if parameters.format is Format.GGUF else None
    style = RopeStyle.NEOX if any(sections or ()) else RopeStyle.NORMAL
    rope = model_rope(parameters, dims, style, in_folders=RopeStyle.NORMAL)
    # GGUF files without biases say nothing of it.
    required = parameters.format is not Format.GGUF and parameters.flag("attention_bias", False)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    biases = QKV_BIASES if required else frozenset[str]()
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU), Norms(after=True), biases)] * sizes.layers)


IN_GGUF = FormatTable(
    ("glm4",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        "gate_up": "blk.{layer}.ffn_up.weight",
        **names.GGUF_POST_NORMS,
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("glm4", "glm4v_text", "glm_ocr_text"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "gate_up": "model.layers.{layer}.mlp.gate_up_proj.weight",
        "attention_post_norm": "model.layers.{layer}.post_self_attn_layernorm.weight",
        "feed_forward_post_norm": "model.layers.{layer}.post_mlp_layernorm.weight",
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("glm4", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

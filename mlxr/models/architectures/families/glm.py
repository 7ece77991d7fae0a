"""GLM-4-9B and GLM-Edge (Zhipu 2024): Llama's norms, a rope on part of each head, biases on queries, keys and values;
gate and up lie above one another. ChatGLM's GGUF files are of the same architecture."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, partial_rope(parameters, sizes, 0.5), RopeStyle.NORMAL, in_folders=RopeStyle.NORMAL)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    # GGUF files without biases say nothing of it.
    required = parameters.format is not Format.GGUF and parameters.flag("attention_bias", False)
    biases = QKV_BIASES if required else frozenset[str]()
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU), biases=biases)] * sizes.layers)


IN_GGUF = FormatTable(
    ("chatglm",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        **names.GGUF_QKV,
        "query_key_value_bias": "blk.{layer}.attn_qkv.bias",
        "gate_up": "blk.{layer}.ffn_up.weight",
    },
    GGUF.extended(tensors={r"rope_freqs\.weight": "what the rope's base says"}),
)
IN_FOLDERS = FormatTable(
    ("glm",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "gate_up": "model.layers.{layer}.mlp.gate_up_proj.weight",
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("glm", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

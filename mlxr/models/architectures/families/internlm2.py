"""InternLM 2 and 2.5 (Shanghai AI Laboratory 2024): Llama's shape by other names, with queries, keys and values in one
tensor of a folder, by key head. GGUF files have them apart, and in Llama's order."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    biased = parameters.format is not Format.GGUF and parameters.flag("bias", True)
    biases = frozenset({"query_key_value_bias", "output_bias"}) if biased else frozenset[str]()
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU), biases=biases)] * sizes.layers)


LAYER = "model.layers.{layer}"
IN_GGUF = FormatTable(
    ("internlm2",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        "output_bias": "blk.{layer}.attn_output.bias",
    },
    GGUF,
)
HUGGING_FACE: Names = {
    "embedding": "model.tok_embeddings.weight",
    "norm": "model.norm.weight",
    "head": "output.weight",
    "attention_norm": f"{LAYER}.attention_norm.weight",
    "query_key_value": f"{LAYER}.attention.wqkv.weight",
    "query_key_value_bias": f"{LAYER}.attention.wqkv.bias",
    "output": f"{LAYER}.attention.wo.weight",
    "output_bias": f"{LAYER}.attention.wo.bias",
    "feed_forward_norm": f"{LAYER}.ffn_norm.weight",
    **names.perceptron(f"{LAYER}.feed_forward", names.MIXTRAL),
}
IN_FOLDERS = FormatTable(("internlm2",), HUGGING_FACE, config_json.LEFTOVERS, by_key_head=True)
FAMILY = Family(
    "internlm2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, reordered=True
)

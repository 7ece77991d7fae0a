"""GPT-NeoX and Pythia (EleutherAI 2022, 2023): halves that read layer norms of their own of their layer's input, a rope
on part of each head, biases everywhere, queries, keys and values in one matrix."""

from __future__ import annotations

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

BIASES = QKV_BIASES | {"output_bias", "up_bias", "down_bias", "attention_norm_bias", "feed_forward_norm_bias"}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER)
    require_activation(parameters, "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh")
    exact = parameters.format is Format.GGUF or parameters.text("hidden_act", "gelu") == "gelu"
    rope = model_rope(
        parameters, partial_rope(parameters, sizes, parameters.number("rotary_pct", 0.25)), RopeStyle.NEOX
    )
    mlp = sizes.mlp(Activation.GELU if exact else Activation.GELU_TANH, gated=False)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    parallel = parameters.flag("use_parallel_residual", True)
    return sizes.decoder([LayerSpec(attention, mlp, biases=BIASES, parallel=parallel)] * sizes.layers)


IN_GGUF = FormatTable(
    ("gptneox",),
    {
        **names.GGUF,
        **names.GGUF_NORM_BIASES,
        **names.GGUF_QKV,
        "query_key_value_bias": "blk.{layer}.attn_qkv.bias",
        "output_bias": "blk.{layer}.attn_output.bias",
        **names.GGUF_MLP_BIASES,
    },
    GGUF,
)
LAYER = "gpt_neox.layers.{layer}"
HUGGING_FACE: Names = {
    "embedding": "gpt_neox.embed_in.weight",
    "norm": "gpt_neox.final_layer_norm.weight",
    "norm_bias": "gpt_neox.final_layer_norm.bias",
    "head": "embed_out.weight",
    "attention_norm": f"{LAYER}.input_layernorm.weight",
    "attention_norm_bias": f"{LAYER}.input_layernorm.bias",
    "query_key_value": f"{LAYER}.attention.query_key_value.weight",
    "query_key_value_bias": f"{LAYER}.attention.query_key_value.bias",
    "output": f"{LAYER}.attention.dense.weight",
    "output_bias": f"{LAYER}.attention.dense.bias",
    "feed_forward_norm": f"{LAYER}.post_attention_layernorm.weight",
    "feed_forward_norm_bias": f"{LAYER}.post_attention_layernorm.bias",
    "up": f"{LAYER}.mlp.dense_h_to_4h.weight",
    "up_bias": f"{LAYER}.mlp.dense_h_to_4h.bias",
    "down": f"{LAYER}.mlp.dense_4h_to_h.weight",
    "down_bias": f"{LAYER}.mlp.dense_4h_to_h.bias",
}
IN_FOLDERS = FormatTable(
    ("gpt_neox",),
    HUGGING_FACE,
    config_json.LEFTOVERS.extended(
        tensors={
            r".*\.attention\.(masked_)?bias": "which tokens see which, as every decoder's do",
            r"embed_out\.weight": "the embedding serves where a file ties the two",
        },
        settings={r"classifier_dropout": "of training"},
        neutral={"attention_bias": (True,)},
    ),
    keys={"rotary_emb_base": "rope_theta"},
    by_key_head=True,
)
FAMILY = Family("gptneox", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS})

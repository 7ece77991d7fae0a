"""Falcon 7B and Falcon 2 (TII 2023, 2024): halves that read the same layer norm of their layer's input, few key heads
or one, queries, keys and values in one matrix."""

from __future__ import annotations

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import MAX_HEADS, MAX_WIDTH, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

BIASES = frozenset({"attention_norm_bias", "feed_forward_norm_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    folder = parameters.format is not Format.GGUF
    if folder:
        _require_one_norm(parameters)
    sizes = Sizes.read(
        parameters,
        norm=NormKind.LAYER,
        kv_heads=_key_heads(parameters) if folder else None,
        hidden=4 * parameters.positive("embedding_length", most=MAX_WIDTH),
    )
    require_activation(parameters, "gelu", key="activation")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    layer = LayerSpec(attention, sizes.mlp(Activation.GELU, gated=False), biases=BIASES, parallel=True)
    return sizes.decoder([layer] * sizes.layers)


def _require_one_norm(parameters: Hyperparameters) -> None:
    """Raises ``UnsupportedModelError`` for models with a norm for each half (40B, 180B), or without ropes (RW)."""
    new = parameters.flag("new_decoder_architecture", False)
    norms = parameters.integer("num_ln_in_parallel_attn", 2 if new else 1)
    if norms != 1 or not parameters.flag("parallel_attn", True):
        raise UnsupportedModelError(parameters.path, "is a Falcon with two norms a layer; mlxr runs those with one")
    if parameters.flag("alibi", False):
        raise UnsupportedModelError(parameters.path, "tells places by ALiBi; mlxr's decoders know ropes")


def _key_heads(parameters: Hyperparameters) -> int:
    heads = parameters.positive("attention.head_count", most=MAX_HEADS)
    # Written with both architectures, and of no account with the new one.
    usual = 1 if parameters.flag("multi_query", True) else heads
    if parameters.flag("new_decoder_architecture", False):
        return parameters.positive("num_kv_heads", heads, MAX_HEADS)
    parameters.integer("num_kv_heads", usual)  # of the new one
    return usual


IN_GGUF = FormatTable(
    ("falcon",),
    {
        **names.GGUF,
        **names.GGUF_NORM_BIASES,
        **names.GGUF_QKV,
        **names.one_norm("blk.{layer}.attn_norm"),
    },
    GGUF,
)
LAYER = "transformer.h.{layer}"
HUGGING_FACE: Names = {
    "embedding": "transformer.word_embeddings.weight",
    "norm": "transformer.ln_f.weight",
    "norm_bias": "transformer.ln_f.bias",
    "head": "lm_head.weight",
    **names.one_norm(f"{LAYER}.input_layernorm"),
    "query_key_value": f"{LAYER}.self_attention.query_key_value.weight",
    "output": f"{LAYER}.self_attention.dense.weight",
    "up": f"{LAYER}.mlp.dense_h_to_4h.weight",
    "down": f"{LAYER}.mlp.dense_4h_to_h.weight",
}
IN_FOLDERS = FormatTable(
    ("falcon",),
    HUGGING_FACE,
    config_json.LEFTOVERS.extended(
        settings={
            r"apply_residual_connection_post_layernorm": "of layers whose halves are no neighbours",
            r"rope_(theta|scaling)": "read where ropes are",
        },
        neutral={"bias": (False,)},
    ),
    defaults={"max_position_embeddings": 2048},
    keys={
        "ffn_hidden_size": "intermediate_size",
        "n_head": "num_attention_heads",
        "n_head_kv": "num_kv_heads",
        "n_layer": "num_hidden_layers",
    },
    by_key_head=True,
)
FAMILY = Family("falcon", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS})

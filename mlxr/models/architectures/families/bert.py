"""BERT encoders (Devlin et al. 2018) for sentence embeddings (Reimers and Gurevych 2019).

Learned positions, a layer norm after each half, attention over the whole input, a plain GELU MLP, biases everywhere.
"""

from __future__ import annotations

from mlxr.metal.specs import Activation, AttentionSpec
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import Leftovers
from mlxr.models.architectures.sizes import MAX_HEADS, MAX_HIDDEN, MAX_LAYERS, MAX_VOCABULARY, MAX_WIDTH
from mlxr.models.architectures.spec import EncoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

MAX_POSITIONS = 1 << 20

ACTIVATIONS = {
    "gelu": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "silu": Activation.SILU,
}


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    activation = parameters.text("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise UnsupportedModelError(parameters.path, f"uses the activation {activation!r}; mlxr knows {known}")
    if parameters.text("position_embedding_type", "absolute") != "absolute":
        raise UnsupportedModelError(parameters.path, "has relative positions; mlxr knows absolute ones")
    for key in ("is_decoder", "add_cross_attention"):
        if parameters.flag(key, False):
            raise UnsupportedModelError(parameters.path, f"sets {key}; mlxr runs encoders, which see the whole input")
    positions = parameters.positive("max_position_embeddings", most=MAX_POSITIONS)
    width = parameters.positive("hidden_size", most=MAX_WIDTH)
    heads = parameters.positive("num_attention_heads", most=MAX_HEADS)
    if width % heads:
        raise ModelFileError(parameters.path, f"is {width} wide, which {heads} heads can't share evenly")
    head_dim = width // heads
    return EncoderSpec(
        width=width,
        context_length=min(positions, parameters.positive("max_seq_length", positions)),
        vocabulary=parameters.positive("vocab_size", most=MAX_VOCABULARY),
        positions=positions,
        segments=parameters.positive("type_vocab_size", 2, MAX_VOCABULARY),
        depth=parameters.positive("num_hidden_layers", most=MAX_LAYERS),
        attention=AttentionSpec(heads, heads, head_dim, head_dim**-0.5, causal=False),
        hidden=parameters.positive("intermediate_size", most=MAX_HIDDEN),
        activation=ACTIVATIONS[activation],
        norm_eps=parameters.epsilon("layer_norm_eps", 1e-12),
        pooling=parameters.text("pooling", "mean"),
    )


LAYER = "encoder.layer.{layer}"
IN_FOLDERS = FormatTable(
    ("bert",),
    {
        "embedding": "embeddings.word_embeddings.weight",
        "positions": "embeddings.position_embeddings.weight",
        "segments": "embeddings.token_type_embeddings.weight",
        "norm": "embeddings.LayerNorm.weight",
        "norm_bias": "embeddings.LayerNorm.bias",
        "query": f"{LAYER}.attention.self.query.weight",
        "query_bias": f"{LAYER}.attention.self.query.bias",
        "key": f"{LAYER}.attention.self.key.weight",
        "key_bias": f"{LAYER}.attention.self.key.bias",
        "value": f"{LAYER}.attention.self.value.weight",
        "value_bias": f"{LAYER}.attention.self.value.bias",
        "output": f"{LAYER}.attention.output.dense.weight",
        "output_bias": f"{LAYER}.attention.output.dense.bias",
        "attention_norm": f"{LAYER}.attention.output.LayerNorm.weight",
        "attention_norm_bias": f"{LAYER}.attention.output.LayerNorm.bias",
        "up": f"{LAYER}.intermediate.dense.weight",
        "up_bias": f"{LAYER}.intermediate.dense.bias",
        "down": f"{LAYER}.output.dense.weight",
        "down_bias": f"{LAYER}.output.dense.bias",
        "feed_forward_norm": f"{LAYER}.output.LayerNorm.weight",
        "feed_forward_norm_bias": f"{LAYER}.output.LayerNorm.bias",
    },
    Leftovers(
        {
            r"embeddings\.(position_ids|token_type_ids)": "buffers that hold 0, 1, 2 and so on, or zeros",
            r"pooler\.dense\.(weight|bias)": "comes after the hidden states, from which embeddings are made",
            r"cls\..*": "heads of the pre-training's two tasks, after the hidden states",
        }
    ),
)
FAMILY = Family("bert", read, {Format.HUGGING_FACE: IN_FOLDERS})

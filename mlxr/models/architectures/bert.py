"""BERT encoders (Devlin et al. 2018) for sentence embeddings (Reimers and Gurevych 2019), as Hugging Face stores them.

Learned positions, post-norm blocks, attention over the whole input, a plain GELU MLP, biases everywhere. Nothing is
kept in pages: an input runs in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mlxr.metal.backend import AttentionOperation, DeviceBatch, RowOperation
from mlxr.metal.pool import Pool
from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec
from mlxr.metal.weights import AttentionWeights, MLPWeights
from mlxr.models.architectures.base import (
    MAX_HEADS,
    MAX_HIDDEN,
    MAX_LAYERS,
    MAX_VOCABULARY,
    MAX_WIDTH,
    ModelShape,
)
from mlxr.models.architectures.leftovers import Leftovers
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import mlx.core as mx

MAX_POSITIONS = 1 << 20

ACTIVATIONS = {
    "gelu": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "silu": Activation.SILU,
}


@dataclass(frozen=True, slots=True)
class Args:
    """Hyperparameters, by the keys of ``config.json`` and of sentence-transformers' files."""

    layers: int
    width: int
    hidden: int
    heads: int
    vocabulary: int
    positions: int
    segments: int
    context_length: int
    norm_eps: float
    activation: Activation
    pooling: str

    @classmethod
    def read(cls, parameters: Hyperparameters) -> Args:
        activation = parameters.text("hidden_act", "gelu")
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise UnsupportedModelError(parameters.path, f"uses the activation {activation!r}; mlxr knows {known}")
        if parameters.text("position_embedding_type", "absolute") != "absolute":
            raise UnsupportedModelError(parameters.path, "has relative positions; mlxr knows absolute ones")
        for key in ("is_decoder", "add_cross_attention"):
            if parameters.flag(key, False):
                raise UnsupportedModelError(
                    parameters.path, f"sets {key}; mlxr runs encoders, which see the whole input"
                )
        if "quantization_config" in parameters:
            raise UnsupportedModelError(parameters.path, "has a quantization_config, which mlxr does not know")
        positions = parameters.positive("max_position_embeddings", most=MAX_POSITIONS)
        width = parameters.positive("hidden_size", most=MAX_WIDTH)
        heads = parameters.positive("num_attention_heads", most=MAX_HEADS)
        if width % heads:
            raise ModelFileError(parameters.path, f"is {width} wide, which {heads} heads can't share evenly")
        return cls(
            layers=parameters.positive("num_hidden_layers", most=MAX_LAYERS),
            width=width,
            hidden=parameters.positive("intermediate_size", most=MAX_HIDDEN),
            heads=heads,
            vocabulary=parameters.positive("vocab_size", most=MAX_VOCABULARY),
            positions=positions,
            segments=parameters.positive("type_vocab_size", 2, MAX_VOCABULARY),
            context_length=min(positions, parameters.positive("max_seq_length", positions)),
            norm_eps=parameters.epsilon("layer_norm_eps", 1e-12),
            activation=ACTIVATIONS[activation],
            pooling=parameters.text("pooling", "mean"),
        )


def layer_norm(args: Args, weights: Weights, name: str) -> RowOperation:
    weight, bias = weights.vector(f"{name}.weight", args.width), weights.vector(f"{name}.bias", args.width)
    return weights.prepared(lambda backend: backend.layer_norm(weight, bias, args.norm_eps))


def attention(args: Args, weights: Weights, layer: int) -> AttentionOperation:
    name, width = f"encoder.layer.{layer}.attention", args.width
    head_dim = width // args.heads
    spec = AttentionSpec(args.heads, args.heads, head_dim, head_dim**-0.5, causal=False)
    given = AttentionWeights(
        query=weights.matrix(f"{name}.self.query.weight", width, width, encoder=True),
        key=weights.matrix(f"{name}.self.key.weight", width, width, encoder=True),
        value=weights.matrix(f"{name}.self.value.weight", width, width, encoder=True),
        output=weights.matrix(f"{name}.output.dense.weight", width, width, encoder=True),
        query_bias=weights.vector(f"{name}.self.query.bias", width),
        key_bias=weights.vector(f"{name}.self.key.bias", width),
        value_bias=weights.vector(f"{name}.self.value.bias", width),
        output_bias=weights.vector(f"{name}.output.dense.bias", width),
    )
    return weights.prepared(lambda backend: backend.attention(given, spec, layer))


def mlp(args: Args, weights: Weights, layer: int) -> RowOperation:
    name = f"encoder.layer.{layer}"
    given = MLPWeights(
        up=weights.matrix(f"{name}.intermediate.dense.weight", args.hidden, args.width, encoder=True),
        down=weights.matrix(f"{name}.output.dense.weight", args.width, args.hidden, encoder=True),
        up_bias=weights.vector(f"{name}.intermediate.dense.bias", args.hidden),
        down_bias=weights.vector(f"{name}.output.dense.bias", args.width),
    )
    return weights.prepared(lambda backend: backend.feed_forward(given, MLPSpec(args.activation)))


class Block:
    def __init__(self, args: Args, weights: Weights, layer: int) -> None:
        self.attention = attention(args, weights, layer)
        self.attention_norm = layer_norm(args, weights, f"encoder.layer.{layer}.attention.output.LayerNorm")
        self.mlp = mlp(args, weights, layer)
        self.mlp_norm = layer_norm(args, weights, f"encoder.layer.{layer}.output.LayerNorm")

    def __call__(self, x: mx.array, batch: DeviceBatch) -> mx.array:
        return self.mlp_norm(self.mlp(self.attention_norm(self.attention(x, batch, None))))


class Embeddings:
    """Word, position and segment vectors together; every token is of segment 0."""

    def __init__(self, args: Args, weights: Weights) -> None:
        words = weights.matrix("embeddings.word_embeddings.weight", args.vocabulary, args.width)
        positions = weights.matrix("embeddings.position_embeddings.weight", args.positions, args.width)
        self.words = weights.prepared(lambda backend: backend.embedding(words))
        self.positions = weights.prepared(lambda backend: backend.embedding(positions))
        self.segment = weights.first_row("embeddings.token_type_embeddings.weight", args.segments, args.width)
        self.norm = layer_norm(args, weights, "embeddings.LayerNorm")

    def __call__(self, tokens: mx.array, batch: DeviceBatch) -> mx.array:
        return self.norm(self.words(tokens) + self.positions(batch.positions) + self.segment)


class Model:
    leftovers: ClassVar[Leftovers] = Leftovers(
        {
            r"embeddings\.(position_ids|token_type_ids)": "buffers that hold 0, 1, 2 and so on, or zeros",
            r"pooler\.dense\.(weight|bias)": "comes after the hidden states, from which embeddings are made",
            r"cls\..*": "heads of the pre-training's two tasks, after the hidden states",
        }
    )

    def __init__(self, parameters: Hyperparameters, weights: Weights) -> None:
        self.path = parameters.path
        self.args = args = Args.read(parameters)
        self.shape = ModelShape(args.width, args.vocabulary, args.context_length, None, args.pooling)
        self.embeddings = Embeddings(args, weights)
        self.blocks = [Block(args, weights, layer) for layer in range(args.layers)]

    def forward(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self.embeddings(tokens, batch)
        for block in self.blocks:
            x = block(x, batch)
        return x

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        raise UnsupportedModelError(self.path, "is an embedding model and generates no text")

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return hidden

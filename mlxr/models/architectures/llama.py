"""Llama (Touvron et al. 2023) and what shares its tensors: Mistral, SmolLM2, TinyLlama and others, as GGUF stores them.

Pre-norm blocks, grouped-query attention with rotary embedding, SiLU-gated MLP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mlxr.metal.backend import AttentionOperation, DeviceBatch, RowOperation
from mlxr.metal.pool import Pool
from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec, Rope, RopeStyle
from mlxr.metal.weights import AttentionWeights, MLPWeights
from mlxr.models.architectures.base import (
    MAX_HEAD_DIM,
    MAX_HEADS,
    MAX_HIDDEN,
    MAX_LAYERS,
    MAX_VOCABULARY,
    MAX_WIDTH,
    ModelShape,
    PoolShape,
    check_heads,
    pooling_of,
    scale_of,
)
from mlxr.models.architectures.leftovers import GGUF_NEUTRAL, GGUF_SETTINGS, Leftovers
from mlxr.models.architectures.rope import rope_from
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import mlx.core as mx


@dataclass(frozen=True, slots=True)
class Args:
    """Hyperparameters, by GGUF's keys. ``window``: how far back attention sees, 0 for all the way."""

    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    context_length: int
    norm_eps: float
    window: int
    scale: float
    rope: Rope

    @classmethod
    def read(cls, parameters: Hyperparameters, weights: Weights) -> Args:
        if parameters.integer("expert_count", 0):
            raise UnsupportedModelError(parameters.path, "is a mixture of experts, which mlxr does not run yet")
        width = parameters.positive("embedding_length", most=MAX_WIDTH)
        heads = parameters.positive("attention.head_count", most=MAX_HEADS)
        head_dim = parameters.positive("attention.key_length", width // heads, MAX_HEAD_DIM)
        kv_heads = parameters.positive("attention.head_count_kv", heads, MAX_HEADS)
        dims = parameters.positive("rope.dimension_count", head_dim, MAX_HEAD_DIM)
        check_heads(parameters, heads, kv_heads, head_dim, dims)
        context = parameters.positive("context_length")
        window = parameters.integer("attention.sliding_window", 0)
        return cls(
            layers=parameters.positive("block_count", most=MAX_LAYERS),
            width=width,
            hidden=parameters.positive("feed_forward_length", most=MAX_HIDDEN),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            context_length=context,
            norm_eps=parameters.epsilon("attention.layer_norm_rms_epsilon"),
            window=window if 0 < window < context else 0,
            scale=scale_of(parameters, head_dim),
            rope=rope_from(parameters, RopeStyle.NORMAL, dims, weights.optional_values("rope_freqs.weight", dims // 2)),
        )


def attention(args: Args, weights: Weights, layer: int) -> AttentionOperation:
    name, queries, keys = f"blk.{layer}.attn", args.heads * args.head_dim, args.kv_heads * args.head_dim
    spec = AttentionSpec(
        args.heads,
        args.kv_heads,
        args.head_dim,
        args.scale,
        args.rope,
        norm_eps=args.norm_eps,
        window=args.window,
    )
    given = AttentionWeights(
        query=weights.matrix(f"{name}_q.weight", queries, args.width),
        key=weights.matrix(f"{name}_k.weight", keys, args.width),
        value=weights.matrix(f"{name}_v.weight", keys, args.width),
        output=weights.matrix(f"{name}_output.weight", args.width, queries),
        norm=weights.vector(f"{name}_norm.weight", args.width),
        query_bias=weights.optional_vector(f"{name}_q.bias", queries),
        key_bias=weights.optional_vector(f"{name}_k.bias", keys),
        value_bias=weights.optional_vector(f"{name}_v.bias", keys),
        output_bias=weights.optional_vector(f"{name}_output.bias", args.width),
    )
    return weights.prepared(lambda backend: backend.attention(given, spec, layer))


def mlp(args: Args, weights: Weights, layer: int) -> RowOperation:
    name = f"blk.{layer}.ffn"
    given = MLPWeights(
        gate=weights.matrix(f"{name}_gate.weight", args.hidden, args.width),
        up=weights.matrix(f"{name}_up.weight", args.hidden, args.width),
        down=weights.matrix(f"{name}_down.weight", args.width, args.hidden),
        norm=weights.vector(f"{name}_norm.weight", args.width),
        gate_bias=weights.optional_vector(f"{name}_gate.bias", args.hidden),
        up_bias=weights.optional_vector(f"{name}_up.bias", args.hidden),
        down_bias=weights.optional_vector(f"{name}_down.bias", args.width),
    )
    return weights.prepared(lambda backend: backend.feed_forward(given, MLPSpec(Activation.SILU, args.norm_eps)))


class Block:
    def __init__(self, args: Args, weights: Weights, layer: int) -> None:
        self.attention = attention(args, weights, layer)
        self.mlp = mlp(args, weights, layer)

    def __call__(self, x: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        return self.mlp(self.attention(x, batch, pool))


class Model:
    leftovers: ClassVar[Leftovers] = Leftovers(
        {r"blk\.\d+\.attn_rot_embd\.weight": "the rope's frequencies, which follow from its base"},
        GGUF_SETTINGS,
        GGUF_NEUTRAL,
    )

    def __init__(self, parameters: Hyperparameters, weights: Weights) -> None:
        self.args = args = Args.read(parameters, weights)
        vocabulary = weights.rows("token_embd.weight", MAX_VOCABULARY)
        pool = PoolShape(args.layers, args.kv_heads, args.head_dim)
        self.shape = ModelShape(args.width, vocabulary, args.context_length, pool, pooling_of(parameters))
        table = weights.matrix("token_embd.weight", vocabulary, args.width)
        self.blocks = [Block(args, weights, layer) for layer in range(args.layers)]
        norm = weights.vector("output_norm.weight", args.width)
        tied = "output.weight" not in weights
        head = table if tied else weights.matrix("output.weight", vocabulary, args.width)
        self.embed = weights.prepared(lambda backend: backend.embedding(table))
        self.norm = weights.prepared(lambda backend: backend.rms_norm(norm, args.norm_eps))
        self.head = weights.prepared(lambda backend: backend.head(head, norm, args.norm_eps))

    def forward(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, batch, pool)
        return x

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return self.head(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return self.norm(hidden)

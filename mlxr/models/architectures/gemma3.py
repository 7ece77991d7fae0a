"""Gemma 3 text models (Gemma Team 2025), as GGUF stores them.

Norms before and after each half, norms on queries and keys, GELU-gated MLP, and five layers with a sliding window
for each one that sees everything. GGUF's norm weights have Gemma's ``1 +`` in them.
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
from mlxr.models.architectures.rope import plain, rope_from
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import mlx.core as mx

LAYERS_27B = 62


@dataclass(frozen=True, slots=True)
class Args:
    """Hyperparameters, by GGUF's keys. ``pattern``: every so many-th layer sees all, the others the ``window``."""

    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    context_length: int
    norm_eps: float
    window: int
    pattern: int
    scale: float
    softcap: float
    rope: Rope
    window_rope: Rope

    @classmethod
    def read(cls, parameters: Hyperparameters) -> Args:
        layers = parameters.positive("block_count", most=MAX_LAYERS)
        width = parameters.positive("embedding_length", most=MAX_WIDTH)
        heads = parameters.positive("attention.head_count", most=MAX_HEADS)
        head_dim = parameters.positive("attention.key_length", 256, MAX_HEAD_DIM)
        kv_heads = parameters.positive("attention.head_count_kv", heads, MAX_HEADS)
        dims = parameters.positive("rope.dimension_count", head_dim, MAX_HEAD_DIM)
        check_heads(parameters, heads, kv_heads, head_dim, dims)
        if dims != head_dim:
            raise UnsupportedModelError(parameters.path, f"turns {dims} of {head_dim} dimensions; mlxr turns all")
        local = plain(head_dim, parameters.positive_number("rope.freq_base_swa", 10000.0))
        # The 27B model alone scales queries by its width a head, which its files do not say.
        scale = scale_of(parameters, width // heads if layers == LAYERS_27B else head_dim)
        return cls(
            layers=layers,
            width=width,
            hidden=parameters.positive("feed_forward_length", most=MAX_HIDDEN),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            context_length=parameters.positive("context_length"),
            norm_eps=parameters.epsilon("attention.layer_norm_rms_epsilon"),
            window=parameters.positive("attention.sliding_window"),
            pattern=parameters.positive("attention.sliding_window_pattern", 6),
            scale=scale,
            softcap=parameters.number("final_logit_softcapping", 0.0),
            rope=rope_from(parameters, RopeStyle.NEOX, head_dim, default_base=1_000_000.0),
            window_rope=Rope(RopeStyle.NEOX, tuple(local.tolist())),
        )


def attention(args: Args, weights: Weights, layer: int) -> AttentionOperation:
    name, queries, keys = f"blk.{layer}.attn", args.heads * args.head_dim, args.kv_heads * args.head_dim
    sees_all = (layer + 1) % args.pattern == 0
    spec = AttentionSpec(
        args.heads,
        args.kv_heads,
        args.head_dim,
        args.scale,
        args.rope if sees_all else args.window_rope,
        norm_eps=args.norm_eps,
        window=0 if sees_all else args.window,
    )
    given = AttentionWeights(
        query=weights.matrix(f"{name}_q.weight", queries, args.width),
        key=weights.matrix(f"{name}_k.weight", keys, args.width),
        value=weights.matrix(f"{name}_v.weight", keys, args.width),
        output=weights.matrix(f"{name}_output.weight", args.width, queries),
        norm=weights.vector(f"{name}_norm.weight", args.width),
        query_norm=weights.vector(f"{name}_q_norm.weight", args.head_dim),
        key_norm=weights.vector(f"{name}_k_norm.weight", args.head_dim),
        post_norm=weights.vector(f"blk.{layer}.post_attention_norm.weight", args.width),
    )
    return weights.prepared(lambda backend: backend.attention(given, spec, layer))


def mlp(args: Args, weights: Weights, layer: int) -> RowOperation:
    name = f"blk.{layer}.ffn"
    given = MLPWeights(
        gate=weights.matrix(f"{name}_gate.weight", args.hidden, args.width),
        up=weights.matrix(f"{name}_up.weight", args.hidden, args.width),
        down=weights.matrix(f"{name}_down.weight", args.width, args.hidden),
        norm=weights.vector(f"{name}_norm.weight", args.width),
        post_norm=weights.vector(f"blk.{layer}.post_ffw_norm.weight", args.width),
    )
    return weights.prepared(lambda backend: backend.feed_forward(given, MLPSpec(Activation.GELU_TANH, args.norm_eps)))


class Block:
    def __init__(self, args: Args, weights: Weights, layer: int) -> None:
        self.attention = attention(args, weights, layer)
        self.mlp = mlp(args, weights, layer)

    def __call__(self, x: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        return self.mlp(self.attention(x, batch, pool))


class Model:
    leftovers: ClassVar[Leftovers] = Leftovers(
        {r"(v|mm)\..*": "they look at images, of which this model gets none"},
        {**GGUF_SETTINGS, r"(vision|mm)\..*": "of what looks at images"},
        {**GGUF_NEUTRAL, "rope.local.freq_base": (10000,), "rope.global.freq_base": (1000000,)},
    )

    def __init__(self, parameters: Hyperparameters, weights: Weights) -> None:
        self.args = args = Args.read(parameters)
        vocabulary = weights.rows("token_embd.weight", MAX_VOCABULARY)
        pool = PoolShape(args.layers, args.kv_heads, args.head_dim)
        self.shape = ModelShape(args.width, vocabulary, args.context_length, pool, pooling_of(parameters))
        table = weights.matrix("token_embd.weight", vocabulary, args.width)
        self.blocks = [Block(args, weights, layer) for layer in range(args.layers)]
        norm = weights.vector("output_norm.weight", args.width)
        tied = "output.weight" not in weights
        head = table if tied else weights.matrix("output.weight", vocabulary, args.width)
        self.embed = weights.prepared(lambda backend: backend.embedding(table, args.width**0.5))
        self.norm = weights.prepared(lambda backend: backend.rms_norm(norm, args.norm_eps))
        self.head = weights.prepared(lambda backend: backend.head(head, norm, args.norm_eps, args.softcap))

    def forward(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, batch, pool)
        return x

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return self.head(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return self.norm(hidden)

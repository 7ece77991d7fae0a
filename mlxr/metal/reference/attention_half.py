"""The attention half of a layer: norm, heads, rope, pages, output and residual around ``attention.py``."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool
from mlxr.metal.reference import pages, products
from mlxr.metal.reference.attention import encoder_attention, gated_heads, paged_attention, temperatures
from mlxr.metal.reference.rope import angles, rotate
from mlxr.metal.reference.rows import linear, norm_rows
from mlxr.metal.reference.step import Step
from mlxr.metal.specs import AttentionSpec
from mlxr.metal.weights import AttentionWeights, Weight


def attention_half(
    weights: AttentionWeights, spec: AttentionSpec, layer: int, x: mx.array, step: Step, pool: Pool | None
) -> mx.array:
    """``x`` float32 ``[T, features]`` to the same, the residual included."""
    batch = step.batch
    if not batch.tokens:
        return x
    normed = norm_rows(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias)
    queries = _projected(normed, weights.query, weights.query_bias, spec, layer, "query", step)
    queries = _shaped(queries, weights.query_norm, spec, batch)
    if spec.temperature is not None:
        queries = queries * temperatures(spec.temperature, batch.positions)[:, None, None]
    if pool is None or not spec.causal:
        if weights.key is None:
            raise ValueError("a layer that reads another's keys and values needs a pool that has them")
        keys, values = _keys_and_values(normed, weights, weights.key, spec, layer, step)
        out = encoder_attention(queries, keys, values, spec, batch, weights.sinks)
    else:
        kept = layer if spec.kv_layer is None else spec.kv_layer
        tables = batch.groups[pool.group_of[kept]]
        if weights.key is not None:
            pages.write(pool, kept, tables, *_keys_and_values(normed, weights, weights.key, spec, layer, step))
        all_keys, all_values = pages.kept(pool, kept)
        out = paged_attention(
            queries, all_keys, all_values, spec, batch, tables, weights.sinks, products.beside(weights.output)
        )
    if weights.gate is not None:
        out = gated_heads(out, linear(normed, weights.gate, None), spec)
    out = step.adapters.added(linear(out, weights.output, weights.output_bias), out, layer, "output")
    return x + norm_rows(out, weights.post_norm, spec.norm_eps)


def _projected(
    normed: mx.array, weight: Weight, bias: mx.array | None, spec: AttentionSpec, layer: int, role: str, step: Step
) -> mx.array:
    """Queries, keys or values, ``[T, its heads, head_dim]``."""
    out = step.adapters.added(linear(normed, weight, bias), normed, layer, role)
    return out.reshape(len(normed), -1, spec.head_dim)


def _keys_and_values(
    normed: mx.array, weights: AttentionWeights, key: Weight, spec: AttentionSpec, layer: int, step: Step
) -> tuple[mx.array, mx.array]:
    """Those of the step, each ``[T, kv_heads, head_dim]``, normed and turned."""
    keys = values = _projected(normed, key, weights.key_bias, spec, layer, "key", step)
    if weights.value is not None:
        values = _projected(normed, weights.value, weights.value_bias, spec, layer, "value", step)
    if spec.norm_values:
        values = mx.fast.rms_norm(values, None, spec.norm_eps)
    return _shaped(keys, weights.key_norm, spec, step.batch), values


def _shaped(heads: mx.array, weight: mx.array | None, spec: AttentionSpec, batch: Batch) -> mx.array:
    """``heads`` ``[T, heads, head_dim]`` normed, each by itself or all of a token together, and turned."""
    heads = _turned(heads, spec, batch) if spec.rope_first else heads
    if weight is not None:
        heads = norm_rows(heads.reshape(len(heads), -1, len(weight)), weight, spec.norm_eps).reshape(heads.shape)
    return heads if spec.rope_first else _turned(heads, spec, batch)


def _turned(heads: mx.array, spec: AttentionSpec, batch: Batch) -> mx.array:
    return heads if spec.rope is None else rotate(heads, spec.rope, *angles(spec.rope, batch.positions))

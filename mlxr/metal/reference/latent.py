"""Multi-head latent attention in plain MLX operations: one key of ``rank + rope_dims`` numbers for all heads, of which
the first ``rank`` are the value too."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool
from mlxr.metal.reference import pages
from mlxr.metal.reference.attention import paged_attention, temperatures
from mlxr.metal.reference.products import beside, by_head, multiplied
from mlxr.metal.reference.rope import angles, rotate
from mlxr.metal.specs import AttentionSpec, LatentSpec
from mlxr.metal.weights import LatentWeights


def latent_attention(
    weights: LatentWeights, spec: LatentSpec, layer: int, x: mx.array, batch: Batch, pool: Pool | None
) -> mx.array:
    """``x`` float32 ``[T, width]`` to the same, residual included."""
    if not batch.tokens:
        return x
    assert pool is not None, "latent attention keeps a sequence's vectors in a pool"
    normed = x if weights.norm is None else mx.fast.rms_norm(x, weights.norm, spec.norm_eps)
    queries = _queries(normed, weights, spec, batch)
    tables = batch.groups[pool.group_of[layer]]
    pages.write(pool, layer, tables, _vectors(normed, weights, spec, batch)[:, None])
    (kept,) = pages.kept(pool, layer)
    whole = AttentionSpec(spec.heads, 1, spec.kept, spec.scale)
    mixed = paged_attention(queries, kept, kept, whole, batch, tables, None, beside(weights.output))
    latents = mixed.reshape(-1, spec.heads, spec.kept)[:, :, : spec.rank]
    values = by_head(latents, weights.value_up, spec.heads)
    return x + multiplied(values.reshape(len(values), -1), weights.output)


def _queries(normed: mx.array, weights: LatentWeights, spec: LatentSpec, batch: Batch) -> mx.array:
    """Returns ``[T, heads, rank + rope_dims]``: what meets latents, and what was turned."""
    if weights.query_down is not None:
        down = multiplied(normed, weights.query_down)
        normed = mx.fast.rms_norm(down, weights.query_norm, spec.latent_eps)
    queries = multiplied(normed, weights.query).reshape(-1, spec.heads, spec.plain_dims + spec.rope_dims)
    if spec.temperature is not None:
        queries = queries * temperatures(spec.temperature, batch.positions)[:, None, None]
    plain, turned = queries[:, :, : spec.plain_dims], queries[:, :, spec.plain_dims :]
    return mx.concatenate([by_head(plain, weights.key_up, spec.heads), _turned(turned, spec, batch)], axis=-1)


def _vectors(normed: mx.array, weights: LatentWeights, spec: LatentSpec, batch: Batch) -> mx.array:
    """Returns what the step's tokens keep, ``[T, rank + rope_dims]``."""
    both = multiplied(normed, weights.latent)
    latents = mx.fast.rms_norm(both[:, : spec.rank], weights.latent_norm, spec.latent_eps)
    return mx.concatenate([latents, _turned(both[:, None, spec.rank :], spec, batch)[:, 0]], axis=-1)


def _turned(x: mx.array, spec: LatentSpec, batch: Batch) -> mx.array:
    """``x`` ``[T, heads, rope_dims]``, turned."""
    return x if spec.rope is None else rotate(x, spec.rope, *angles(spec.rope, batch.positions))

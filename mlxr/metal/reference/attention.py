"""Grouped-query attention over a ragged batch, through pages (decoders) or within the step (encoders).

Sequences with equally many queries are computed together, their keys padded to the longest of them. Padding adds exact
zeros behind a sequence's own keys, so a row's sums keep their order whatever shares the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.reference.pages import Kept
from mlxr.metal.reference.products import Product
from mlxr.metal.specs import AttentionSpec, Gate, Temperature

Indices = NDArray[np.int32]


def paged_attention(
    queries: mx.array,
    keys: Kept,
    values: Kept,
    spec: AttentionSpec,
    batch: Batch,
    tables: GroupTables,
    sinks: mx.array | None,
    product: Product = mx.matmul,
) -> mx.array:
    """``queries`` ``[T, heads, head_dim]`` against pages ``[pages, page_size, kv_heads, head_dim]``.

    Keys and values of this step are in their pages already. Returns ``[T, heads * head_dim]``.
    """
    size = tables.page_size
    groups: list[tuple[Indices, mx.array]] = []
    for sequences, tokens in _equal_lengths(batch):
        contexts = batch.context_lengths[sequences]
        pages = max(1, -(-int(contexts.max()) // size))
        shape = (len(sequences), pages * size, spec.kv_heads, spec.head_dim)
        position = np.arange(shape[1], dtype=np.int32)
        first = spec.first_key(batch.positions[tokens[:, :1]])
        # Pages before the first key that is seen may have been given back: the last one stands in for them.
        last = np.take_along_axis(tables.block_tables[sequences], (contexts[:, None] - 1) // size, axis=1)
        table = mx.array(
            np.where(np.arange(pages) < first // size, last, tables.block_tables[sequences, :pages]).astype(np.int32)
        )
        own = mx.array((position >= first) & (position < contexts[:, None]))[:, :, None, None]
        visible = _visible(batch.positions[tokens], position, spec)
        # Beyond a sequence's own tokens lies somebody else's, perhaps not finite, and zero times that must stay zero.
        mine = mx.where(own, values[table].reshape(shape), 0.0)
        out = _attend(
            queries[mx.array(tokens)], keys[table].reshape(shape), mine, visible, spec, sinks, product=product
        )
        groups.append((tokens, out))
    return _scattered_back(groups, batch.tokens)


def encoder_attention(
    queries: mx.array, keys: mx.array, values: mx.array, spec: AttentionSpec, batch: Batch, sinks: mx.array | None
) -> mx.array:
    """Every token of a sequence sees the whole of it, or what is near. All arguments ``[T, ...]``; returns ``[T, heads
    * head_dim]``."""
    groups: list[tuple[Indices, mx.array]] = []
    for _, tokens in _equal_lengths(batch):
        rows = mx.array(tokens)
        distance = np.abs(np.subtract.outer(*2 * [np.arange(tokens.shape[1])]))
        visible = mx.array(distance < spec.window) if spec.window else None
        added = distance_penalties(spec, mx.array(distance.astype(np.float32))) if spec.alibi else None
        groups.append((tokens, _attend(queries[rows], keys[rows], values[rows], visible, spec, sinks, added)))
    return _scattered_back(groups, batch.tokens)


def distance_penalties(spec: AttentionSpec, distance: mx.array) -> mx.array:
    """Returns what ALiBi adds to the scores of keys at ``distance`` ``[L, S]``: float32 ``[kv_heads, heads / kv_heads,
    L, S]``."""
    slopes = mx.array(spec.alibi, mx.float32).reshape(spec.kv_heads, -1, 1, 1)
    return -slopes * distance


def _equal_lengths(batch: Batch) -> Iterator[tuple[Indices, Indices]]:
    """Sequences that have the same number of tokens in this step, with those tokens ``[sequences, length]``."""
    lengths = np.diff(batch.query_starts)
    for length in np.unique(lengths[lengths > 0]):
        sequences = np.flatnonzero(lengths == length).astype(np.int32)
        yield sequences, batch.query_starts[sequences, None] + np.arange(length, dtype=np.int32)


def _visible(queries: Indices, keys: Indices, spec: AttentionSpec) -> mx.array:
    """Which key positions each query position sees: ``[sequences, 1, 1, queries, keys]``."""
    seen = (keys <= queries[:, :, None]) & (keys >= spec.first_key(queries)[:, :, None])
    return mx.array(seen)[:, None, None]


def temperatures(temperature: Temperature, positions: Indices) -> mx.array:
    """Returns what queries at ``positions`` are multiplied by, float32 ``[T]``."""
    steps = (positions.astype(np.int64) + temperature.offset) // temperature.length
    return mx.array((1 + temperature.scale * np.log1p(steps)).astype(np.float32))


def _attend(
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    visible: mx.array | None,
    spec: AttentionSpec,
    sinks: mx.array | None,
    added: mx.array | None = None,
    product: Product = mx.matmul,
) -> mx.array:
    """``queries`` ``[G, L, heads, D]``, ``keys`` and ``values`` ``[G, S, kv_heads, D]``: ``[G, L, heads * D]``.
    ``added`` ``[kv_heads, heads / kv_heads, L, S]`` joins the scores."""
    group, length = queries.shape[:2]
    shared = spec.heads // spec.kv_heads
    folded = queries.transpose(0, 2, 1, 3).reshape(group, spec.kv_heads, shared * length, spec.head_dim)
    scores = product(folded * spec.scale, keys.transpose(0, 2, 3, 1))
    if spec.softcap:
        scores = spec.softcap * mx.tanh(scores / spec.softcap)
    scores = scores.reshape(group, spec.kv_heads, shared, length, -1)
    if added is not None:
        scores = scores + added
    if visible is not None:
        scores = mx.where(visible, scores, -mx.inf)
    weights = _softmax(scores, sinks).reshape(group, spec.kv_heads, shared * length, -1)
    out = product(weights, values.transpose(0, 2, 1, 3)).reshape(group, spec.heads, length, spec.head_dim)
    return out.transpose(0, 2, 1, 3).reshape(group, length, -1)


def _softmax(scores: mx.array, sinks: mx.array | None) -> mx.array:
    """Over the last axis; a sink takes part in its head's denominator and is then dropped."""
    if sinks is None:
        return mx.softmax(scores, axis=-1)
    column = mx.broadcast_to(sinks.reshape(1, *scores.shape[1:3], 1, 1), (*scores.shape[:-1], 1))
    return mx.softmax(mx.concatenate([scores, column], axis=-1), axis=-1)[..., :-1]


def _scattered_back(groups: list[tuple[Indices, mx.array]], tokens: int) -> mx.array:
    """The groups' rows in the batch's own order."""
    flat = mx.concatenate([out.reshape(-1, out.shape[-1]) for _, out in groups])
    order = np.concatenate([rows.reshape(-1) for rows, _ in groups])
    if np.array_equal(order, np.arange(tokens)):
        return flat
    return flat[mx.array(np.argsort(order).astype(np.int32))]


def gated_heads(out: mx.array, gate: mx.array, spec: AttentionSpec) -> mx.array:
    """Returns what heads gave, ``[T, heads * head_dim]``, by what the gate's projection did
    (``AttentionSpec.gate``)."""
    gates = mx.logaddexp(gate, 0) if spec.gate is Gate.SOFTPLUS else mx.sigmoid(gate)
    return out * (mx.repeat(gates, spec.head_dim, axis=1) if spec.head_gates else gates)

"""Choosing the next token of every row at once, in plain MLX operations (the rules: ``messages.common.Sampling``)."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.sampling import SampledRows, SamplingBatch

Draw = Callable[[mx.array, SamplingBatch, NDArray[np.int32]], mx.array]
"""Tokens int32 of some rows of a batch, whose logits are given."""

Best = Callable[[mx.array], mx.array]
"""Each row's best token, int32 ``[R]``, of logits; -1 where that has none that is finite."""


def sample(logits: mx.array, batch: SamplingBatch, draw: Draw | None = None, best: Best | None = None) -> SampledRows:
    """``logits`` float32 ``[R, V]``. A row with no finite best logit (NaN, or nothing allowed) gets token -1. ``draw``
    and ``best``: other ways to do what ``drawn`` and ``best_of`` do."""
    adjusted = _masked(_biased(_penalized(logits, batch), batch), batch)
    tokens = (best or best_of)(adjusted)
    warm = np.flatnonzero(batch.temperature > 0).astype(np.int32)
    if len(warm):
        at = mx.array(warm)
        tokens[at] = mx.where(tokens[at] < 0, -1, (draw or drawn)(adjusted[at], batch, warm))
    if batch.logprobs is None:
        return SampledRows(tokens)
    return token_logprobs(logits, tokens, batch.logprobs)


def best_of(logits: mx.array) -> mx.array:
    """As ``Best``."""
    tokens = mx.argmax(logits, axis=-1).astype(mx.int32)
    return mx.where(mx.isfinite(mx.max(logits, axis=-1)), tokens, -1)


def token_logprobs(logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
    """Returns the log-probabilities of ``tokens`` int32 ``[R]`` and of the ``alternatives`` best, ties by token id."""
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    within = mx.clip(tokens, 0, logits.shape[-1] - 1)  # MLX does not check an index
    chosen = mx.take_along_axis(logprobs, within[:, None], axis=-1)[:, 0]
    if alternatives <= 0:
        return SampledRows(tokens, chosen)
    best = mx.argsort(-logits, axis=-1)[:, :alternatives].astype(mx.int32)
    return SampledRows(tokens, chosen, best, mx.take_along_axis(logprobs, best, axis=-1))


def _column(values: NDArray[np.float32]) -> mx.array:
    return mx.array(values)[:, None]


def _counts(tokens: NDArray[np.int32], counted: NDArray[np.bool_], shape: tuple[int, ...]) -> mx.array:
    """How often each token stands in its row: float32 ``[R, V]``."""
    rows, columns = np.nonzero(counted & (tokens >= 0) & (tokens < shape[-1]))
    ids = tokens[rows, columns].astype(np.int32)
    return mx.zeros(shape).at[mx.array(rows.astype(np.int32)), mx.array(ids)].add(mx.ones(len(ids)))


def _penalized(logits: mx.array, batch: SamplingBatch) -> mx.array:
    """Repetition (Keskar et al. 2019): positive logits divided, negative ones multiplied. Presence once, frequency for
    every occurrence."""
    if batch.history is None:
        return logits
    known = batch.history >= 0
    if (batch.repetition_penalty != 1).any():
        seen = _counts(batch.history, known, logits.shape) > 0
        penalty = _column(batch.repetition_penalty)
        logits = mx.where(seen, mx.where(logits > 0, logits / penalty, logits * penalty), logits)
    if batch.generated is None or not (batch.presence_penalty.any() or batch.frequency_penalty.any()):
        return logits
    count = _counts(batch.history, known & batch.generated, logits.shape)
    return logits - _column(batch.presence_penalty) * (count > 0) - _column(batch.frequency_penalty) * count


def _biased(logits: mx.array, batch: SamplingBatch) -> mx.array:
    if batch.bias_rows is None or batch.bias_tokens is None or batch.bias_values is None:
        return logits
    known = (batch.bias_tokens >= 0) & (batch.bias_tokens < logits.shape[-1])
    rows, tokens, values = (part[known] for part in (batch.bias_rows, batch.bias_tokens, batch.bias_values))
    return logits.at[mx.array(rows), mx.array(tokens)].add(mx.array(values))


def _masked(logits: mx.array, batch: SamplingBatch) -> mx.array:
    if batch.validator is None:
        return logits
    mask = batch.validator.masks()
    bits = (mx.array(mask)[:, :, None] >> mx.arange(32)) & 1
    allowed = bits.reshape(len(mask), -1)[:, : logits.shape[-1]]
    return mx.where(allowed == 1, logits, -mx.inf)


def drawn(logits: mx.array, batch: SamplingBatch, rows: NDArray[np.int32]) -> mx.array:
    """Tokens of the rows with a temperature: filters narrow the candidates one after the other, each looking at the
    renormalized probabilities of those still in, and the row's uniform number picks one."""
    order = mx.argsort(-logits, axis=-1)
    ranked = mx.take_along_axis(logits, order, axis=-1)
    # Relative to the best one, so that no temperature, however low, makes an infinity.
    probabilities = mx.softmax((ranked - ranked[:, :1]) / _column(batch.temperature[rows]), axis=-1)
    probabilities = _top_k(probabilities, batch.top_k[rows])
    probabilities = _typical(probabilities, batch.typical_p[rows])
    probabilities = _top_p(probabilities, batch.top_p[rows])
    probabilities = _min_p(probabilities, batch.min_p[rows])
    cumulative = mx.cumsum(probabilities, axis=-1)
    target = _column(batch.uniform[rows]) * cumulative[:, -1:]
    choice = mx.argmax(cumulative > target, axis=-1)
    return mx.take_along_axis(order, choice[:, None], axis=-1)[:, 0].astype(mx.int32)


def _normalized(probabilities: mx.array) -> mx.array:
    return probabilities / mx.sum(probabilities, axis=-1, keepdims=True)


def _top_k(probabilities: mx.array, top_k: NDArray[np.int32]) -> mx.array:
    """The ``k`` best candidates; the columns are in descending order already."""
    if not top_k.any():
        return probabilities
    size = probabilities.shape[-1]
    kept = mx.arange(size) < mx.array(np.where(top_k > 0, top_k, size))[:, None]
    return _normalized(mx.where(kept, probabilities, 0.0))


def _top_p(probabilities: mx.array, top_p: NDArray[np.float32]) -> mx.array:
    """Nucleus (Holtzman et al. 2020): the fewest best candidates that reach ``top_p`` together, at least one."""
    if (top_p >= 1).all():
        return probabilities
    return _normalized(mx.where(_reaching(probabilities, top_p), probabilities, 0.0))


def _typical(probabilities: mx.array, typical_p: NDArray[np.float32]) -> mx.array:
    """Locally typical (Meister et al. 2022): the fewest candidates whose surprise is nearest to the entropy and that
    reach ``typical_p`` together."""
    if (typical_p >= 1).all():
        return probabilities
    surprise = -mx.log(probabilities)
    entropy = mx.sum(mx.where(probabilities > 0, probabilities * surprise, 0.0), axis=-1, keepdims=True)
    nearest = mx.argsort(mx.abs(surprise - entropy), axis=-1)
    kept = _reaching(mx.take_along_axis(probabilities, nearest, axis=-1), typical_p)
    kept = mx.put_along_axis(mx.zeros(kept.shape, mx.bool_), nearest, kept, axis=-1)
    return _normalized(mx.where(kept, probabilities, 0.0))


def _reaching(ranked: mx.array, mass: NDArray[np.float32]) -> mx.array:
    """True for the first candidates up to the one with which their sum reaches ``mass``; for all where that is 1."""
    before = mx.cumsum(ranked, axis=-1, inclusive=False)
    limit = _column(np.where(mass >= 1, np.inf, mass).astype(np.float32))
    return (before < limit) | (before == 0)


def _min_p(probabilities: mx.array, min_p: NDArray[np.float32]) -> mx.array:
    """Candidates at least ``min_p`` times as likely as the best (Nguyen et al. 2024)."""
    if not min_p.any():
        return probabilities
    best = mx.max(probabilities, axis=-1, keepdims=True)
    return mx.where(probabilities >= _column(min_p) * best, probabilities, 0.0)

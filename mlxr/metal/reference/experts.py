"""A mixture of experts in plain MLX operations."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.specs import ExpertsSpec


def choose(logits: mx.array, bias: mx.array | None, spec: ExpertsSpec) -> tuple[mx.array, mx.array]:
    """Returns which experts tokens use, int32 ``[T, used]``, best first, and what each is multiplied by, float32.

    ``logits``: the router's, float32 ``[T, experts]``.
    """
    scores = mx.sigmoid(logits) if spec.sigmoid else mx.softmax(logits, axis=-1, precise=True)
    wanted = scores if bias is None else scores + bias
    if 1 < spec.groups > spec.used_groups:
        wanted = _of_best_groups(wanted, spec)
    chosen = mx.argsort(-wanted, axis=-1)[:, : spec.used].astype(mx.int32)
    weights = mx.take_along_axis(scores, chosen, axis=-1)
    if spec.normalized:
        weights = weights / mx.maximum(mx.sum(weights, axis=-1, keepdims=True), 1e-20)
    return chosen, weights * spec.scale


def _of_best_groups(wanted: mx.array, spec: ExpertsSpec) -> mx.array:
    grouped = wanted.reshape(len(wanted), spec.groups, -1)
    best = -mx.sort(-grouped, axis=-1)[:, :, : spec.group_best]
    order = mx.argsort(mx.argsort(-mx.sum(best, axis=-1), axis=-1), axis=-1)
    return mx.where((order < spec.used_groups)[:, :, None], grouped, -mx.inf).reshape(wanted.shape)


def mixed(outputs: mx.array, weights: mx.array) -> mx.array:
    """Returns the sum of experts' ``outputs`` float32 ``[T, used, width]``, each times its weight ``[T, used]``."""
    return mx.sum(outputs * weights[:, :, None], axis=1)

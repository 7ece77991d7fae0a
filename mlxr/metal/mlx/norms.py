"""The norm on the input of a half or of the head, in float32."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.specs import NormKind


def normed(x: mx.array, weight: mx.array | None, eps: float, kind: NormKind, bias: mx.array | None) -> mx.array:
    """``x`` float32 ``[T, features]`` to the same; as it is where there is no ``weight``."""
    if weight is None:
        return x
    return mx.fast.layer_norm(x, weight, bias, eps) if kind is NormKind.LAYER else mx.fast.rms_norm(x, weight, eps)

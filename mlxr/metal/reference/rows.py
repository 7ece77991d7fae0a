"""What every half of a layer does to rows: products, norms, activations."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.reference import products
from mlxr.metal.specs import Activation, NormKind
from mlxr.metal.weights import Weight


def linear(x: mx.array, weight: Weight, bias: mx.array | None = None) -> mx.array:
    """``x`` float32 ``[T, in]`` to ``[T, out]``."""
    out = products.multiplied(x, weight)
    return out if bias is None else out + bias


def norm_rows(
    x: mx.array,
    weight: mx.array | None,
    eps: float,
    kind: NormKind = NormKind.RMS,
    bias: mx.array | None = None,
) -> mx.array:
    """``x``, as it is where there is no ``weight``."""
    if weight is None:
        return x
    return mx.fast.layer_norm(x, weight, bias, eps) if kind is NormKind.LAYER else mx.fast.rms_norm(x, weight, eps)


def scaled(x: mx.array, scale: mx.array | None) -> mx.array:
    return x if scale is None else x * scale


def activated(x: mx.array, activation: Activation) -> mx.array:
    match activation:
        case Activation.SILU:
            return x * mx.sigmoid(x)
        case Activation.GELU_TANH:
            return 0.5 * x * (1 + mx.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
        case Activation.GELU:
            return 0.5 * x * (1 + mx.erf(x * 0.7071067811865476))
        case Activation.RELU_SQUARED:
            return mx.square(mx.maximum(x, 0.0))
        case Activation.SWIGLU_OAI:
            raise ValueError("swiglu_oai needs a gate")


def gated(gate: mx.array, up: mx.array, activation: Activation) -> mx.array:
    """``activation(gate) * up``."""
    if activation is Activation.SWIGLU_OAI:
        gate, up = mx.minimum(gate, 7.0), mx.clip(up, -7.0, 7.0)
        return gate * mx.sigmoid(1.702 * gate) * (up + 1)
    return activated(gate, activation) * up

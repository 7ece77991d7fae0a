"""Chains of element-by-element operations, joined into one kernel each where the device's MLX can."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.specs import Activation

HEADROOM = 16.0
"""What hidden values of the feed-forward are divided by while they are 16-bit: some models' outgrow float16."""

Gate = Callable[[mx.array, mx.array], mx.array]


class Elementwise:
    """Makes the chains, once for a backend. ``fuses``: whether ``mx.compile`` may be used."""

    def __init__(self, fuses: bool) -> None:
        self._fuses = fuses
        self.add = self._joined(_add)
        self.add_down = self._joined(_add_down)
        self.gated_heads = self._joined(_gated_heads)

    def gate(self, activation: Activation) -> Gate:
        """``activation(gate) * up / HEADROOM``, computed in float32, 16-bit in and out."""
        if activation is Activation.SWIGLU_OAI:
            return self._joined(lambda gate, up: (_swiglu_oai(_wide(gate), _wide(up)) * (1 / HEADROOM)).astype(HALF))
        activate = ACTIVATIONS[activation]
        return self._joined(lambda gate, up: (activate(_wide(gate)) * _wide(up) * (1 / HEADROOM)).astype(HALF))

    def activation(self, activation: Activation) -> Callable[[mx.array], mx.array]:
        """``activation(up) / HEADROOM``."""
        activate = ACTIVATIONS[activation]
        return self._joined(lambda up: (activate(_wide(up)) * (1 / HEADROOM)).astype(HALF))

    def _joined(self, chain: Callable[..., mx.array]) -> Callable[..., mx.array]:
        return mx.compile(chain, shapeless=True) if self._fuses else chain


def _wide(x: mx.array) -> mx.array:
    return x.astype(mx.float32)


def _add(x: mx.array, out: mx.array) -> mx.array:
    return x + _wide(out)


def _add_down(x: mx.array, out: mx.array) -> mx.array:
    return x + _wide(out) * HEADROOM


def _gated_heads(out: mx.array, gate: mx.array) -> mx.array:
    return (_wide(out) * mx.sigmoid(_wide(gate))).astype(HALF)


def _silu(x: mx.array) -> mx.array:
    return x * mx.sigmoid(x)


def _gelu_tanh(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


def _gelu(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.erf(x * 0.7071067811865476))


def _relu_squared(x: mx.array) -> mx.array:
    return mx.square(mx.maximum(x, 0.0))


def _swiglu_oai(gate: mx.array, up: mx.array) -> mx.array:
    gate, up = mx.minimum(gate, 7.0), mx.clip(up, -7.0, 7.0)
    return gate * mx.sigmoid(1.702 * gate) * (up + 1)


ACTIVATIONS = {
    Activation.SILU: _silu,
    Activation.GELU_TANH: _gelu_tanh,
    Activation.GELU: _gelu,
    Activation.RELU_SQUARED: _relu_squared,
}

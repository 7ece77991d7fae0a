"""The operations of a transformer, in NumPy, straight from their papers. No code is shared with ``mlxr``.

``x`` is ``[T, features]``: one sequence from position 0, everything at once, no cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    """Zhang and Sennrich 2019."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + x.dtype.type(eps)) * weight


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Ba et al. 2016."""
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + x.dtype.type(eps)) * weight + bias


def softmax(scores: Array) -> Array:
    exponents = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def gelu_tanh(x: Array) -> Array:
    """Hendrycks and Gimpel 2016, the tanh approximation."""
    return x * (1 + np.tanh(x.dtype.type(math.sqrt(2 / math.pi)) * (x + x.dtype.type(0.044715) * x**3))) / 2


def gelu(x: Array) -> Array:
    """Hendrycks and Gimpel 2016: ``x`` times the normal distribution function."""
    return x * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / math.sqrt(2))) / 2


def rope_neighbours(x: Array, angles: Array) -> Array:
    """Su et al. 2021: pair ``(2i, 2i + 1)`` as a complex number, turned by ``angles`` ``[T, 1, D / 2]``."""
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    out = np.empty_like(x)
    out[..., 0::2], out[..., 1::2] = turned.real, turned.imag
    return out


def rope_halves(x: Array, angles: Array) -> Array:
    """The same for pairs ``(i, i + D / 2)``, as GPT-NeoX orders them."""
    half = x.shape[-1] // 2
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], axis=-1).astype(x.dtype)


def rope_angles(length: int, dims: int, base: float) -> Array:
    return np.arange(length)[:, None, None] * base ** (-np.arange(0, dims, 2) / dims)


def attention(
    queries: Array, keys: Array, values: Array, scale: float, visible: Callable[[Array, Array], Array]
) -> Array:
    """Vaswani et al. 2017 with shared keys (Ainslie et al. 2023): ``queries`` ``[T, heads, D]``, the others
    ``[T, kv_heads, D]``. ``visible(query position, key position)`` says what each sees."""
    length, heads, _ = queries.shape
    shared = heads // keys.shape[1]
    positions = np.arange(length)
    hidden = ~visible(positions[:, None], positions[None, :])
    out = np.empty_like(queries)
    for head in range(heads):
        scores = queries[:, head] @ keys[:, head // shared].T * queries.dtype.type(scale)
        scores[hidden] = -np.inf
        out[:, head] = softmax(scores) @ values[:, head // shared]
    return out.reshape(length, -1)

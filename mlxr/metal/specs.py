"""What a layer's halves compute: the settings of attention, RoPE and feed-forward, one form for every backend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class RopeStyle(StrEnum):
    """Which pairs rotate together: neighbours ``(2i, 2i+1)``, or halves ``(i, i + dims/2)`` (GPT-NeoX)."""

    NORMAL = "normal"
    NEOX = "neox"


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary embedding (Su et al. 2021): pair i of position p turns by ``p * inverse_frequencies[i]``.

    ``inverse_frequencies``: float32 ``[dims / 2]``, with all scaling (linear, Llama 3, YaRN) already in.
    ``magnitude`` multiplies sine and cosine (YaRN's attention factor).
    """

    style: RopeStyle
    inverse_frequencies: tuple[float, ...]
    magnitude: float = 1.0


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """Grouped-query attention. ``window``: a query at position p sees keys in ``(p - window, p]``, 0 for all.

    ``softcap``: scores become ``softcap * tanh(score / softcap)``, 0 for none. ``causal`` False: every token of a
    sequence sees every other of the same step, nothing is written to pages (encoders).
    ``norm_eps`` serves the input norm, query and key norms, and the post norm.
    """

    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    rope: Rope | None = None
    norm_eps: float = 1e-5
    window: int = 0
    softcap: float = 0.0
    causal: bool = True


class Activation(StrEnum):
    """The gate's nonlinearity. ``GELU_TANH`` is the tanh approximation, ``GELU`` the exact one (erf)."""

    SILU = "silu"
    GELU_TANH = "gelu_tanh"
    GELU = "gelu"


@dataclass(frozen=True, slots=True)
class MLPSpec:
    """A two-layer perceptron, gated where its weights have a gate. ``norm_eps`` serves the norm before it and after."""

    activation: Activation
    norm_eps: float = 1e-5


FeedForwardSpec: TypeAlias = MLPSpec
"""The kinds of feed-forward that there are; a mixture of experts will be another."""

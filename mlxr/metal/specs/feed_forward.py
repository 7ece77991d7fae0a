"""The feed-forward half: perceptrons and mixtures of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mlxr.metal.specs.norms import NormKind


class Activation(StrEnum):
    """The gate's nonlinearity. ``GELU_TANH`` is the tanh approximation, ``GELU`` the exact one (erf). ``SWIGLU_OAI`` is
    gpt-oss's: ``g * sigmoid(1.702 * g) * (u + 1)``, gate and up clamped to 7. ``RELU_SQUARED``: ``max(x, 0) ** 2`` (So
    et al. 2021)."""

    SILU = "silu"
    GELU_TANH = "gelu_tanh"
    GELU = "gelu"
    SWIGLU_OAI = "swiglu_oai"
    RELU_SQUARED = "relu_squared"


@dataclass(frozen=True, slots=True)
class Xielu:
    """The numbers of a layer's xIELU (Huang and Schlag 2024): above 0 ``rise * x ** 2 + beta * x``, else ``fall *
    (expm1(min(x, eps)) - x) + beta * x``."""

    rise: float
    fall: float
    beta: float
    eps: float


@dataclass(frozen=True, slots=True)
class MLPSpec:
    """A two-layer perceptron, gated where its weights have a gate. ``norm_eps`` serves the norm before it and after;
    ``norm`` is the kind of the first. ``sparsity``: of what comes out of the gate, only what exceeds a row's mean by so
    many standard deviations counts (Gemma 3n); None for all of it. ``xielu``: it, instead of ``activation``."""

    activation: Activation
    norm_eps: float = 1e-5
    norm: NormKind = NormKind.RMS
    sparsity: float | None = None
    xielu: Xielu | None = None


@dataclass(frozen=True, slots=True)
class ExpertsSpec:
    """A mixture of perceptrons, gated where their weights have gates, of which each token uses the ``used`` that its
    router scores highest.

    ``experts``: how many there are.
    ``sigmoid``: whether a score is the sigmoid of its logit, else the softmax over all.
    ``normalized``: whether the weights of those that are used add up to 1 (before ``scale``).
    ``scale``: what weights are multiplied by.
    ``groups``, ``used_groups``: experts stand in groups of equal size, and only those of the best ``used_groups`` can
    be used; a group is as good as its ``group_best`` best experts together (DeepSeek-V2: 1, DeepSeek-V3: 2).
    ``weighs_inputs``: an expert's weight multiplies what it gets instead of what it gives (Llama 4).
    ``jitter``: experts are used as SparseMixer does (Liu et al. 2024, GRIN): the best by its score's share among those
    that are hardly worse, by twice so much; and the second best among the others likewise. None for the usual way.
    """

    activation: Activation
    experts: int
    used: int
    norm_eps: float = 1e-5
    sigmoid: bool = False
    normalized: bool = True
    scale: float = 1.0
    groups: int = 1
    used_groups: int = 1
    group_best: int = 2
    norm: NormKind = NormKind.RMS
    weighs_inputs: bool = False
    jitter: float | None = None


FeedForwardSpec: TypeAlias = MLPSpec | ExpertsSpec
"""The kinds of feed-forward that there are."""

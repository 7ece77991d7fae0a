"""Mixers that keep a state of a sequence: convolutions, Mamba and Mamba-2, the gated delta rule and Kimi's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlxr.metal.cache import BESIDE, CacheGroup, state_group
from mlxr.metal.specs.attention import AttentionSpec


@dataclass(frozen=True, slots=True)
class ShortConvSpec:
    """A gated short convolution (LFM2, Liquid AI 2025): a token's input becomes three vectors b, c and x of the model's
    ``width``, and ``c * convolution(b * x)`` what it gives. Each channel's convolution sees ``taps`` tokens, the last
    of which is the token itself.

    ``norm_eps`` serves the input norm.
    """

    width: int
    taps: int
    norm_eps: float = 1e-5

    def cache(self, layer: int) -> CacheGroup:
        """Returns what layer number ``layer`` keeps of a sequence: ``b * x`` of the last tokens."""
        return state_group(layer, (self.taps - 1) * self.width)


@dataclass(frozen=True, slots=True)
class Mamba2Spec:
    """A selective state space with one decay a head (Dao and Gu 2024, Mamba-2).

    A token's input becomes a gate z, what is convolved (x, B and C) and a time step of each head. Head h of group g has
    a state ``[state_size, head_dim]``: ``state = exp(step * decay) * state + outer(B[g], step * x[h])``, and gives
    ``C[g] @ state + skip * x[h]``. What all heads give is multiplied by ``silu(z)`` and normed, each group by itself.

    ``groups``: how many B and C there are; heads stand in so many equal groups.
    ``taps``: tokens that the convolution before the states sees.
    ``norm_eps`` serves the input norm, ``gate_eps`` the one behind the gate.
    ``step_limits``: time steps below and above become these.
    ``gate_scale``: what z is multiplied by; ``output_scale``: what comes out behind the gated norm.
    ``normed``: whether there is a norm behind the gate.
    """

    heads: int
    head_dim: int
    groups: int
    state_size: int
    taps: int
    norm_eps: float = 1e-5
    gate_eps: float = 1e-5
    step_limits: tuple[float, float] = (0.0, math.inf)
    gate_scale: float = 1.0
    output_scale: float = 1.0
    normed: bool = True

    @property
    def inner(self) -> int:
        """Numbers of x, and of the gate."""
        return self.heads * self.head_dim

    @property
    def channels(self) -> int:
        """Numbers that are convolved: x, B and C."""
        return self.inner + 2 * self.groups * self.state_size

    def cache(self, layer: int) -> CacheGroup:
        """Returns what layer number ``layer`` keeps of a sequence: the last tokens' inputs of the convolution, and the
        heads' states."""
        return state_group(layer, (self.taps - 1) * self.channels + self.inner * self.state_size)


@dataclass(frozen=True, slots=True)
class AttentionAndMamba2Spec:
    """Two mixers that read the same rows, and what both give is added to these (Falcon-H1, TII 2025).

    ``attention_input``, ``mamba2_input``: what the normed rows are multiplied by for each.
    ``convolved``: what x, B and C are multiplied by before their convolution.
    """

    attention: AttentionSpec
    mamba2: Mamba2Spec
    attention_input: float = 1.0
    mamba2_input: float = 1.0
    convolved: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def caches(self, layer: int) -> tuple[CacheGroup, ...]:
        """Returns what layer number ``layer`` keeps of a sequence: keys and values, and a state."""
        keys = self.attention.cache(layer)
        return (*(() if keys is None else (keys,)), self.mamba2.cache(layer + BESIDE))


@dataclass(frozen=True, slots=True)
class GatedDeltaNetSpec:
    """Linear attention by the gated delta rule (Yang et al. 2025, "Gated Delta Networks").

    A token's input becomes queries and keys of the key heads and values of the value heads, which are convolved, each
    channel by itself, and go through SiLU; then every query and key is divided by its length, a query by the root of
    ``key_dim`` besides. Value head h has a state ``[key_dim, value_dim]``: it decays, ``state = exp(decay *
    softplus(alpha + alpha_bias)) * state``, takes in ``outer(key, sigmoid(beta) * (value - key @ state))``, and gives
    ``query @ state``, which is RMS-normed, a head at a time, and multiplied by ``silu(gate)``.

    ``taps``: tokens that the convolution sees.
    ``norm_eps`` serves the input norm and that of what heads give.
    ``tiled``: value head h reads by key head ``h % key_heads``, else by ``h // (value_heads / key_heads)``.
    """

    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    taps: int
    norm_eps: float = 1e-6
    tiled: bool = False

    @property
    def keys(self) -> int:
        """Numbers of all keys of a token, and of all queries."""
        return self.key_heads * self.key_dim

    @property
    def values(self) -> int:
        """Numbers of all values of a token, and of its gate."""
        return self.value_heads * self.value_dim

    @property
    def channels(self) -> int:
        """Numbers that are convolved: queries, keys and values."""
        return 2 * self.keys + self.values

    @property
    def history(self) -> int:
        """Numbers of a state that are the last tokens' inputs of the convolution, ``[taps - 1, channels]``; the heads'
        states ``[value_heads, key_dim, value_dim]`` stand behind them."""
        return (self.taps - 1) * self.channels

    @property
    def state_size(self) -> int:
        """Numbers of a sequence's state."""
        return self.history + self.values * self.key_dim

    def cache(self, layer: int) -> CacheGroup:
        """Returns what layer number ``layer`` keeps of a sequence."""
        return state_group(layer, self.state_size)


@dataclass(frozen=True, slots=True)
class Mamba1Spec:
    """A selective state space with decays of its own for every number of a state (Gu and Dao 2023, Mamba).

    A token's input becomes x and a gate z, ``inner`` numbers each. x is convolved, each channel by itself, and goes
    through SiLU; of that are made ``step_rank`` numbers, from which comes a time step for each channel, and B and C.
    Channel c has a state of ``state_size`` numbers: ``state = exp(step[c] * decay[c]) * state + step[c] * x[c] * B``,
    and gives ``C @ state + skip[c] * x[c]``, which is multiplied by ``silu(z)``.

    ``taps``: tokens that the convolution sees.
    ``norm_eps`` serves the input norm.
    ``inner_eps``: of the norms on the time steps' numbers, B and C; None where there are none (Falcon-Mamba has them).
    """

    inner: int
    state_size: int
    step_rank: int
    taps: int
    norm_eps: float = 1e-5
    inner_eps: float | None = None

    @property
    def history(self) -> int:
        """Numbers of a state that are the last tokens' inputs of the convolution, ``[taps - 1, inner]``; the channels'
        states ``[inner, state_size]`` stand behind them."""
        return (self.taps - 1) * self.inner

    def cache(self, layer: int) -> CacheGroup:
        """Returns what layer number ``layer`` keeps of a sequence."""
        return state_group(layer, self.history + self.inner * self.state_size)


@dataclass(frozen=True, slots=True)
class KimiDeltaSpec:
    """Linear attention by the delta rule with a decay for each number of a key (Moonshot AI 2025, "Kimi Linear").

    As in ``GatedDeltaNetSpec``, with as many key heads as value heads, all ``head_dim`` long, and but for these: row i
    of a head's state decays by itself, ``state[i] = exp(decay * softplus(alpha[i] + alpha_bias[i])) * state[i]``, where
    alpha is made of the input by two products; and what heads give is multiplied by the sigmoid of a gate, which is
    made by two as well.
    """

    heads: int
    head_dim: int
    taps: int
    norm_eps: float = 1e-6

    @property
    def values(self) -> int:
        """Numbers of all queries of a token, of all keys, of all values, of alpha, and of its gate."""
        return self.heads * self.head_dim

    @property
    def history(self) -> int:
        """Numbers of a state that are the last tokens' inputs of the convolution; the heads' states ``[heads, head_dim,
        head_dim]`` stand behind them."""
        return (self.taps - 1) * 3 * self.values

    def cache(self, layer: int) -> CacheGroup:
        """Returns what layer number ``layer`` keeps of a sequence."""
        return state_group(layer, self.history + self.values * self.head_dim)

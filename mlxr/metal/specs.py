"""What a layer's halves compute: the settings of attention, RoPE and feed-forward, one form for every backend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import BESIDE, CacheGroup, attention_group, latent_group, state_group


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


class NormKind(StrEnum):
    """RMS norm (Zhang and Sennrich 2019), or layer norm (Ba et al. 2016), which takes the mean away first."""

    RMS = "rms"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Temperature:
    """Queries that grow with their position (Llama 4): one at p is multiplied by
    ``1 + scale * ln(1 + floor((p + offset) / length))``."""

    scale: float
    length: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """Grouped-query attention. ``window``: a query at position p sees keys in ``(p - window, p]``, 0 for all.

    ``softcap``: scores become ``softcap * tanh(score / softcap)``, 0 for none. ``causal`` False: every token of a
    sequence sees every other of the same step, nothing is written to pages (encoders); with a window those in
    ``(p - window, p + window)``.
    ``norm_eps`` serves the input norm, query, key and value norms, and the post norm;
    ``norm`` is the kind of the first.
    ``alibi``: a slope for each head, times which a key's distance is taken off its score (Press et al. 2022, ALiBi);
    empty for none. Without ``causal`` only.
    ``norm_values``: values are divided by their root mean square, a head at a time.
    ``values_are_keys``: there is no value projection; values are the key projection's outputs, before norm and rope.
    ``kv_layer``: the earlier layer whose keys and values this one reads, having none of its own; None for its own.
    ``chunked``: the query at p sees keys from ``p // window * window`` on instead (Llama 4).
    ``rope_first``: query and key norms stand behind the rope.
    ``gated``: what heads give is multiplied by the sigmoid of a projection of the input (Qwen3-Next).
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
    alibi: tuple[float, ...] = ()
    norm_values: bool = False
    values_are_keys: bool = False
    kv_layer: int | None = None
    norm: NormKind = NormKind.RMS
    chunked: bool = False
    rope_first: bool = False
    temperature: Temperature | None = None
    gated: bool = False

    def first_key(self, positions: NDArray[np.int32]) -> NDArray[np.int32]:
        """Returns the first position that queries at ``positions`` see."""
        if not self.window:
            return np.zeros_like(positions)
        return positions // self.window * self.window if self.chunked else np.maximum(positions - self.window + 1, 0)

    def cache(self, layer: int) -> CacheGroup | None:
        """Returns what layer number ``layer`` keeps of a sequence; None where it reads another's."""
        if self.kv_layer is not None:
            return None
        return attention_group(layer, self.kv_heads, self.head_dim, self.window or None)


@dataclass(frozen=True, slots=True)
class LatentSpec:
    """Multi-head latent attention (DeepSeek-AI 2024, DeepSeek-V2): a token keeps one vector for all heads, a latent of
    ``rank`` numbers and a key of ``rope_dims`` that is turned by the rope.

    A head's key is made of the latent, ``plain_dims`` numbers, and then the turned ones; its value, ``value_dims``
    numbers, of the latent alone. Instead of making them, a query's plain part is taken to where latents are.
    ``query_rank``: numbers between the two products that make queries, 0 where there is one.
    ``norm_eps`` serves the input norm, ``latent_eps`` those of the latent and of what is between the two products.
    """

    heads: int
    rank: int
    plain_dims: int
    rope_dims: int
    value_dims: int
    scale: float
    rope: Rope | None
    query_rank: int = 0
    norm_eps: float = 1e-6
    latent_eps: float = 1e-6
    temperature: Temperature | None = None

    @property
    def kept(self) -> int:
        """Numbers that a token keeps."""
        return self.rank + self.rope_dims

    def cache(self, layer: int) -> CacheGroup:
        """Returns what layer number ``layer`` keeps of a sequence."""
        return latent_group(layer, self.kept)


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
class MLPSpec:
    """A two-layer perceptron, gated where its weights have a gate. ``norm_eps`` serves the norm before it and after;
    ``norm`` is the kind of the first. ``sparsity``: of what comes out of the gate, only what exceeds a row's mean by so
    many standard deviations counts (Gemma 3n); None for all of it."""

    activation: Activation
    norm_eps: float = 1e-5
    norm: NormKind = NormKind.RMS
    sparsity: float | None = None


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


@dataclass(frozen=True, slots=True)
class PerLayerEmbeddingSpec:
    """What each layer gets of a token besides the hidden state (Gemma 3n's per-layer embeddings): ``size`` numbers for
    each of ``layers`` layers, ``scale * (norm(projection_scale * projection(x)) + table_scale * table[token])``, where
    ``x`` is the token's embedding and the norm goes over a layer's numbers.
    """

    layers: int
    size: int
    projection_scale: float
    table_scale: float
    scale: float
    norm_eps: float = 1e-6


@dataclass(frozen=True, slots=True)
class PerLayerInputSpec:
    """How a layer adds its own of those numbers: ``x + post_norm(output(activation(gate(x)) * numbers))``.
    ``norm_eps`` serves the post norm."""

    activation: Activation
    norm_eps: float = 1e-6


@dataclass(frozen=True, slots=True)
class AlternatingSpec:
    """Alternating updates (Baykal et al. 2023, AltUp) as Gemma 3n has them: a hidden state is ``streams`` vectors, of
    which each layer computes the ``active`` one; it predicts all before, and corrects them behind by what came out.
    Beside attention stands a low-rank product, and ``per_layer`` embeddings are added to all streams but the first.
    ``norm_eps`` serves all norms between.
    """

    streams: int
    active: int
    per_layer: PerLayerEmbeddingSpec
    norm_eps: float = 1e-6


FeedForwardSpec: TypeAlias = MLPSpec | ExpertsSpec
"""The kinds of feed-forward that there are."""

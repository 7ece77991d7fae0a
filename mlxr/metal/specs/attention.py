"""Attention, of keys and values or of latents: rope, masks, norms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import CacheGroup, attention_group, latent_group
from mlxr.metal.specs.norms import NormKind


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


class Gate(StrEnum):
    """What a gate's projection goes through. ``SOFTPLUS``: ``ln(1 + exp(x))``."""

    SIGMOID = "sigmoid"
    SOFTPLUS = "softplus"


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
    ``gate``: what heads give is multiplied by this function of a projection of the input (Qwen3-Next); None for by
    nothing. ``head_gates``: by one number a head (LFM3), instead of one for each of a head's.
    ``value_dim``: numbers of a value where files have fewer than of a key: matrices have zeros for the others (MiMo
    V2). 0 for as many.
    ``input_scale``: what the normed input is multiplied by.
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
    gate: Gate | None = None
    head_gates: bool = False
    value_dim: int = 0
    input_scale: float = 1.0

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

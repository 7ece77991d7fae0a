"""What a model is made of, as values: a family turns hyperparameters into one of these, ``decoder.py`` and
``encoder.py`` build any of them. Nothing here computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mlxr.metal.cache import CacheGroup, cache_groups
from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, LatentSpec, Mamba2Spec, MLPSpec, ShortConvSpec

MixerSpec: TypeAlias = AttentionSpec | LatentSpec | Mamba2Spec | ShortConvSpec
"""What mixes a layer's tokens: a union of kinds, each with a file in ``mixers/``, an operation that backends prepare
(``Backend.attention``, ``Backend.mamba2``) and a method ``cache`` that says what a layer of it keeps."""


@dataclass(frozen=True, slots=True)
class Norms:
    """Where a layer's RMS norms stand.

    ``before``: on the input of each half.
    ``after``: on the output of each half, before the residual is added.
    ``heads``: on every query head and every key head, before the rope.
    """

    before: bool = True
    after: bool = False
    heads: bool = False


@dataclass(frozen=True, slots=True)
class MLP:
    """``down(activation(gate(x)) * up(x))``, ``hidden`` numbers wide between; where it is not ``gated``,
    ``down(activation(up(x)))``."""

    hidden: int
    spec: MLPSpec
    gated: bool = True


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of perceptrons, ``hidden`` numbers wide each and ``gated`` or not as in ``MLP``.

    ``shared_hidden``: of the one that every token uses besides, 0 for none.
    ``latent``: how long the vectors are that experts read and write, 0 for the width (``ExpertsWeights.latent_down``).
    """

    hidden: int
    spec: ExpertsSpec
    shared_hidden: int = 0
    gated: bool = True
    latent: int = 0


QKV_BIASES = frozenset({"query_bias", "key_bias", "value_bias"})
"""Roles of the biases that most families with biases have."""

FeedForward: TypeAlias = MLP | Experts


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer: a mixer, then a feed-forward, each with a residual around it. A layer of one half lacks the other.

    ``biases``: roles of biases that must be there (``query_bias``). One that is not listed is used where the family's
    table names it and the file has it.
    """

    mixer: MixerSpec | None
    feed_forward: FeedForward | None
    norms: Norms = Norms()
    biases: frozenset[str] = frozenset()

    def cache(self, number: int) -> CacheGroup | None:
        """Returns what layer ``number`` keeps of a sequence; None where it keeps nothing."""
        return None if self.mixer is None else self.mixer.cache(number)


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """A causal model.

    ``width``: numbers in a hidden state.
    ``context_length``: most tokens of a sequence.
    ``layers``: from the embedding to the head.
    ``norm_eps``: of the final norm.
    ``embedding_scale``: what embeddings are multiplied by.
    ``softcap``: logits become ``softcap * tanh(logit / softcap)``; 0 for none.
    ``tied``: whether the embedding is the output projection too; None where the file's tensors tell.
    ``pooling``: how hidden states become an embedding: mean, cls or last.
    ``logit_scale``: what logits are multiplied by, before the cap.
    """

    width: int
    context_length: int
    layers: tuple[LayerSpec, ...]
    norm_eps: float
    embedding_scale: float = 1.0
    softcap: float = 0.0
    tied: bool | None = None
    pooling: str = "last"
    logit_scale: float = 1.0

    def cache_groups(self) -> tuple[CacheGroup, ...]:
        """Returns the groups of layers that keep alike."""
        return cache_groups(self._caches())

    def _caches(self) -> Iterator[CacheGroup]:
        for number, layer in enumerate(self.layers):
            if (group := layer.cache(number)) is not None:
                yield group


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """A model that sees its whole input and keeps nothing: learned positions, a layer norm after each half, biases.

    ``positions``, ``segments``: rows of the tables of learned positions and segments.
    ``vocabulary``: rows of the embedding.
    ``depth``: layers, all alike, with ``attention`` and a perceptron ``hidden`` wide.
    ``norm_eps``: of every layer norm.
    """

    width: int
    context_length: int
    vocabulary: int
    positions: int
    segments: int
    depth: int
    attention: AttentionSpec
    hidden: int
    activation: Activation
    norm_eps: float
    pooling: str = "mean"

"""What a model is made of, as values: a family turns hyperparameters into one of these, ``decoder.py`` and
``encoder.py`` build any of them. Nothing here computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mlxr.metal.cache import CacheGroup, cache_groups
from mlxr.metal.specs import (
    AlternatingSpec,
    AttentionAndMamba2Spec,
    AttentionSpec,
    ExpertsSpec,
    GatedDeltaNetSpec,
    KimiDeltaSpec,
    LatentSpec,
    Mamba1Spec,
    Mamba2Spec,
    MLPSpec,
    NormKind,
    PerLayerEmbeddingSpec,
    PerLayerInputSpec,
    ShortConvSpec,
)

MixerSpec: TypeAlias = (
    AttentionSpec
    | LatentSpec
    | GatedDeltaNetSpec
    | KimiDeltaSpec
    | Mamba1Spec
    | Mamba2Spec
    | ShortConvSpec
    | AttentionAndMamba2Spec
)
"""What mixes a layer's tokens: a union of kinds, each with a file in ``mixers/``, an operation that backends prepare
(``Backend.attention``, ``Backend.mamba2``) and a method ``cache`` that says what a layer of it keeps."""


@dataclass(frozen=True, slots=True)
class Norms:
    """Where a layer's norms stand; they are RMS norms but for those before, whose kind the halves' specs have.

    ``before``: on the input of each half.
    ``after``: on the output of each half, before the residual is added.
    ``heads``: on every query head and every key head, before the rope or behind it (``AttentionSpec.rope_first``).
    ``residual``: on the sum of each half and its input, a layer norm (encoders alone).
    ``mixer``: whether ``before`` means the mixer's input, too.
    ``together``: on all query heads as one vector, and on all key heads, where ``heads`` would stand.
    ``weighted``: whether norms of heads have weights.
    """

    before: bool = True
    after: bool = False
    heads: bool = False
    residual: bool = False
    mixer: bool = True
    together: bool = False
    weighted: bool = True


@dataclass(frozen=True, slots=True)
class MLP:
    """``down(activation(gate(x)) * up(x))``, ``hidden`` numbers wide between; where it is not ``gated``,
    ``down(activation(up(x)))``. ``input_scale``: what its normed input is multiplied by."""

    hidden: int
    spec: MLPSpec
    gated: bool = True
    input_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of perceptrons, ``hidden`` numbers wide each and ``gated`` or not as in ``MLP``.

    ``shared_hidden``: of the one that every token uses besides, 0 for none.
    ``latent``: how long the vectors are that experts read and write, 0 for the width (``ExpertsWeights.latent_down``).
    ``choice_bias``: whether there must be a bias that is added to the scores of experts where they are chosen, and not
    where they are weighed. One that is not required is used where a file has it.
    ``own_norms``: the shared perceptron and the mixture each have norms of their own on what they take and give, and
    the router on what it takes, whose weight the file has without a factor of one over the root of the width.
    """

    hidden: int
    spec: ExpertsSpec
    shared_hidden: int = 0
    gated: bool = True
    latent: int = 0
    choice_bias: bool = False
    own_norms: bool = False


QKV_BIASES = frozenset({"query_bias", "key_bias", "value_bias"})
"""Roles of the biases that most families with biases have."""

ATTENTION_BIASES = QKV_BIASES | {"output_bias"}
"""Roles of those that attention has where each of its projections has one."""

FeedForward: TypeAlias = MLP | Experts


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer: a mixer, then a feed-forward, each with a residual around it. A layer of one half lacks the other.

    ``parallel``: both halves read the layer's input, and both are added to it.
    ``biases``: roles of biases that must be there (``query_bias``). One that is not listed is used where the family's
    table names it and the file has it; so is ``output_scale``, what the layer's output is multiplied by.
    ``per_layer``: how the layer adds its part of the model's per-layer embeddings, last; None where it does not.
    """

    mixer: MixerSpec | None
    feed_forward: FeedForward | None
    norms: Norms = Norms()
    biases: frozenset[str] = frozenset()
    per_layer: PerLayerInputSpec | None = None
    parallel: bool = False

    def caches(self, number: int) -> tuple[CacheGroup, ...]:
        """Returns what layer ``number`` keeps of a sequence: nothing, one thing, or what two mixers keep."""
        if isinstance(self.mixer, AttentionAndMamba2Spec):
            return self.mixer.caches(number)
        group = None if self.mixer is None else self.mixer.cache(number)
        return () if group is None else (group,)


@dataclass(frozen=True, slots=True)
class Alternating:
    """Alternating updates, with per-layer embeddings of their own.

    ``laurel_rank``: of the low-rank product beside attention.
    ``scales``: whether the active stream is multiplied by a vector where further inputs are gated.
    """

    spec: AlternatingSpec
    laurel_rank: int
    scales: bool = True


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """A causal model.

    ``width``: numbers in a hidden state.
    ``context_length``: most tokens of a sequence.
    ``layers``: from the embedding to the head.
    ``norm_eps``: of the final norm, whose kind is ``norm``.
    ``embedding_scale``: what embeddings are multiplied by.
    ``softcap``: logits become ``softcap * tanh(logit / softcap)``; 0 for none.
    ``tied``: whether the embedding is the output projection too; None where the file's tensors tell.
    ``logit_scale``: what logits are multiplied by, before the cap.
    ``per_layer``: further inputs of all layers; None where there are none.
    ``alternating``: how layers of several streams update them; None where a hidden state is one vector.
    """

    width: int
    context_length: int
    layers: tuple[LayerSpec, ...]
    norm_eps: float
    embedding_scale: float = 1.0
    softcap: float = 0.0
    tied: bool | None = None
    logit_scale: float = 1.0
    per_layer: PerLayerEmbeddingSpec | None = None
    alternating: Alternating | None = None
    norm: NormKind = NormKind.RMS

    def cache_groups(self) -> tuple[CacheGroup, ...]:
        """Returns the groups of layers that keep alike."""
        return cache_groups(self._caches())

    def _caches(self) -> Iterator[CacheGroup]:
        for number, layer in enumerate(self.layers):
            yield from layer.caches(number)


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """A model that sees its whole input and keeps nothing of it.

    ``width``, ``context_length``, ``layers``, ``embedding_scale``: as in ``DecoderSpec``; a mixer is attention
    without order.
    ``norm_eps``: of the norms that are no part of a half: on the embedding, behind halves, at the end.
    ``vocabulary``: rows of the embedding; None where the file's tensors tell.
    ``positions``: rows of the table of learned positions, 0 for none.
    ``first_position``: the row of an input's first token.
    ``segments``: rows of the table of segments, 0 for none.
    ``embedding_norm``: whether a layer norm follows the embedding.
    ``final_norm``: the kind of the norm behind the last layer, None for none.
    """

    width: int
    context_length: int
    layers: tuple[LayerSpec, ...]
    norm_eps: float
    vocabulary: int | None = None
    positions: int = 0
    first_position: int = 0
    segments: int = 0
    embedding_scale: float = 1.0
    embedding_norm: bool = True
    final_norm: NormKind | None = None

"""What layers get besides the hidden state, and hidden states of several vectors."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.metal.specs.feed_forward import Activation


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

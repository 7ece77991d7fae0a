"""The weights of one layer's halves, matrices as their backend keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import mlx.core as mx


@dataclass(frozen=True, slots=True)
class Weight:
    """A matrix ``(out_features, in_features)`` as its backend keeps it; only that backend looks inside ``handle``."""

    shape: tuple[int, int]
    handle: Any
    nbytes: int


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """One attention half: ``x + post_norm(output(attention(rope(norm(x)))))``, each optional part None where the
    model has none.

    ``norm`` None: the input is used as it is. Norm weights and biases are float32 vectors; ``norm_bias``: of a layer
    norm. ``*_norm`` of query and key are RMS norms over ``head_dim``, or over all heads where they are as long.
    ``sinks`` float32 ``[heads]``: a learned score that joins each softmax's denominator. ``key`` is None where the
    layer reads another's keys, ``value`` there and where values are keys (``AttentionSpec``). ``gate``
    ``[heads * head_dim, width]``, or of so many rows as there are heads (``AttentionSpec.head_gates``): None where what
    heads give is taken as it is.
    """

    query: Weight
    key: Weight | None
    value: Weight | None
    output: Weight
    norm: mx.array | None = None
    query_norm: mx.array | None = None
    key_norm: mx.array | None = None
    post_norm: mx.array | None = None
    query_bias: mx.array | None = None
    key_bias: mx.array | None = None
    value_bias: mx.array | None = None
    output_bias: mx.array | None = None
    sinks: mx.array | None = None
    norm_bias: mx.array | None = None
    gate: Weight | None = None


@dataclass(frozen=True, slots=True)
class LatentWeights:
    """One latent attention half, with the sizes of ``LatentSpec``. Matrices of all heads lie above one another.

    ``query``: ``[heads * (plain_dims + rope_dims), width]``, each head's plain numbers first; where there is
    ``query_down`` ``[query_rank, width]``, with a norm behind it, it takes ``query_rank`` numbers.
    ``latent``: ``[rank + rope_dims, width]``: the latent before its norm, and the key to be turned.
    ``key_up``: ``[heads * rank, plain_dims]``, what takes a query's plain part to latents.
    ``value_up``: ``[heads * value_dims, rank]``, what makes values of latents.
    ``output``: ``[width, heads * value_dims]``.
    """

    query: Weight
    latent: Weight
    key_up: Weight
    value_up: Weight
    output: Weight
    latent_norm: mx.array
    norm: mx.array | None = None
    query_down: Weight | None = None
    query_norm: mx.array | None = None


@dataclass(frozen=True, slots=True)
class ShortConvWeights:
    """One short convolution half: ``x + post_norm(output(c * convolution(b * v)))``, ``b, c, v = input(norm(x))``.

    ``input``: ``[3 * width, width]``. ``output``: ``[width, width]``.
    ``convolution``: float32 ``[width * taps]``, a channel's taps side by side, that of the token itself last.
    """

    input: Weight
    output: Weight
    convolution: mx.array
    norm: mx.array
    input_bias: mx.array | None = None
    convolution_bias: mx.array | None = None
    output_bias: mx.array | None = None
    post_norm: mx.array | None = None


@dataclass(frozen=True, slots=True)
class Mamba2Weights:
    """One Mamba-2 half; ``Mamba2Spec`` has the formula and the names of sizes.

    ``input``: ``[inner + channels + heads, width]``: the gate z, then x, B and C, then a time step of each head.
    ``output``: ``[width, inner]``.
    ``convolution``: float32 ``[channels * taps]`` as in ``ShortConvWeights``; what comes out goes through SiLU.
    ``decay``, ``skip``, ``step_bias``: float32 ``[heads]``; decays are negative.
    ``gate_norm``: float32 ``[inner]``; None where what is gated is not normed.
    """

    input: Weight
    output: Weight
    convolution: mx.array
    decay: mx.array
    skip: mx.array
    step_bias: mx.array
    norm: mx.array
    gate_norm: mx.array | None = None
    input_bias: mx.array | None = None
    convolution_bias: mx.array | None = None
    output_bias: mx.array | None = None


@dataclass(frozen=True, slots=True)
class Mamba1Weights:
    """One Mamba half; ``Mamba1Spec`` has the formula and the names of sizes.

    ``input``: ``[2 * inner, width]``: x, then the gate z. ``output``: ``[width, inner]``.
    ``convolution``: float32 ``[inner * taps]`` as in ``ShortConvWeights``.
    ``parameters``: ``[step_rank + 2 * state_size, inner]``: what steps are made of, B and C.
    ``step``: ``[inner, step_rank]``. ``step_bias``, ``skip``: float32 ``[inner]``.
    ``decay``: float32 ``[inner * state_size]``, a channel's side by side; negative.
    ``step_norm``, ``write_norm``, ``read_norm``: of what steps are made of, of B and of C; None where none is normed.
    """

    input: Weight
    output: Weight
    convolution: mx.array
    parameters: Weight
    step: Weight
    step_bias: mx.array
    decay: mx.array
    skip: mx.array
    norm: mx.array
    convolution_bias: mx.array | None = None
    input_bias: mx.array | None = None
    output_bias: mx.array | None = None
    step_norm: mx.array | None = None
    write_norm: mx.array | None = None
    read_norm: mx.array | None = None


@dataclass(frozen=True, slots=True)
class KimiDeltaWeights:
    """One half of Kimi's delta rule; ``KimiDeltaSpec`` has the formula and the names of sizes.

    ``query``, ``key``, ``value``: ``[values, width]``. ``output``: ``[width, values]``.
    ``alpha_down``, ``gate_down``: ``[head_dim, width]``; ``alpha_up``, ``gate_up``: ``[values, head_dim]``.
    ``beta``: ``[heads, width]``.
    ``convolutions``: of queries, keys and values, float32 ``[values * taps]`` each, as in ``ShortConvWeights``.
    ``decay``: float32 ``[heads]``, negative. ``alpha_bias``: float32 ``[values]``. ``head_norm``: float32
    ``[head_dim]``.
    """

    query: Weight
    key: Weight
    value: Weight
    alpha_down: Weight
    alpha_up: Weight
    beta: Weight
    gate_down: Weight
    gate_up: Weight
    output: Weight
    convolutions: tuple[mx.array, mx.array, mx.array]
    decay: mx.array
    alpha_bias: mx.array
    head_norm: mx.array
    norm: mx.array


@dataclass(frozen=True, slots=True)
class GatedDeltaNetWeights:
    """One half of the gated delta rule; ``GatedDeltaNetSpec`` has the formula and the names of sizes.

    ``query_key_value``: ``[channels, width]``: all queries, then all keys, then all values.
    ``gate``: ``[values, width]``. ``output``: ``[width, values]``.
    ``alpha``, ``beta``: ``[value_heads, width]``.
    ``convolution``: float32 ``[channels * taps]``, a channel's taps side by side, that of the token itself last.
    ``decay``, ``alpha_bias``: float32 ``[value_heads]``; decays are negative.
    ``head_norm``: float32 ``[value_dim]``.
    """

    query_key_value: Weight
    gate: Weight
    alpha: Weight
    beta: Weight
    output: Weight
    convolution: mx.array
    decay: mx.array
    alpha_bias: mx.array
    head_norm: mx.array
    norm: mx.array


@dataclass(frozen=True, slots=True)
class MLPWeights:
    """One MLP half: ``x + post_norm(down(activation(gate(n)) * up(n)))`` with ``n = norm(x)``.

    ``gate`` None: ungated, ``down(activation(up(n)))`` (BERT). ``output_scale`` float32 ``[1]``: what the sum is
    multiplied by; None for 1.
    """

    up: Weight
    down: Weight
    gate: Weight | None = None
    norm: mx.array | None = None
    post_norm: mx.array | None = None
    up_bias: mx.array | None = None
    down_bias: mx.array | None = None
    gate_bias: mx.array | None = None
    norm_bias: mx.array | None = None
    output_scale: mx.array | None = None


@dataclass(frozen=True, slots=True)
class ExpertsWeights:
    """One mixture of E experts, with a norm before it.

    ``router``: ``[E, width]``, with ``router_bias`` ``[E]``.
    ``gate``, ``up``: those of all experts above one another, ``[E * hidden, width]``, and their biases. ``gate`` None:
    ungated, as in ``MLPWeights``.
    ``down``: ``[E * width, hidden]`` likewise.
    ``latent_down``, ``latent_up``: ``[latent, width]`` and ``[width, latent]``: experts read and write vectors of
    ``latent`` numbers instead of the width, made by the first, and their mixture goes through the second (Nemotron 3's
    latent mixture of experts). The router and the shared perceptron see the width. Both or neither.
    ``choice_bias``: float32 ``[E]``, added to scores when experts are chosen, but not to their weights (DeepSeek-V3).
    ``shared``: a perceptron that every token uses, gated where the experts are; ``shared_router`` ``[1, width]``: the
    sigmoid of its product is what the shared one is multiplied by. Its own ``norm`` and ``post_norm`` are for its input
    and output; without a norm it takes what experts take.
    ``router_norm``: of the router's input; None where it takes what experts take.
    ``expert_scale``: float32 ``[E]``, what the weights of those that are chosen are multiplied by.
    ``mixture_post_norm``, ``post_norm``: of the experts' sum, and of all that is added to the input.
    ``output_scale``: as in ``MLPWeights``.
    """

    router: Weight
    up: Weight
    down: Weight
    gate: Weight | None = None
    latent_down: Weight | None = None
    latent_up: Weight | None = None
    norm: mx.array | None = None
    router_bias: mx.array | None = None
    choice_bias: mx.array | None = None
    gate_bias: mx.array | None = None
    up_bias: mx.array | None = None
    down_bias: mx.array | None = None
    shared: MLPWeights | None = None
    shared_router: Weight | None = None
    norm_bias: mx.array | None = None
    router_norm: mx.array | None = None
    expert_scale: mx.array | None = None
    mixture_post_norm: mx.array | None = None
    post_norm: mx.array | None = None
    output_scale: mx.array | None = None


@dataclass(frozen=True, slots=True)
class SeparateExpertsWeights:
    """One mixture whose experts' matrices are by themselves: ``gates`` and ``ups`` ``[hidden, width]``, ``downs``
    ``[width, hidden]``; ``router`` ``[E, width]``."""

    router: Weight
    gates: tuple[Weight, ...]
    ups: tuple[Weight, ...]
    downs: tuple[Weight, ...]
    norm: mx.array
    norm_bias: mx.array | None = None


@dataclass(frozen=True, slots=True)
class PerLayerEmbeddingWeights:
    """Of all layers' further inputs (``PerLayerEmbeddingSpec``).

    ``table``: ``[tokens, layers * size]``, as ``Backend.table`` gave it.
    ``projection``: ``[layers * size, width]``.
    ``norm``: float32 ``[size]``.
    """

    table: Weight
    projection: Weight
    norm: mx.array


@dataclass(frozen=True, slots=True)
class PerLayerInputWeights:
    """Of one layer's further input: ``gate`` ``[size, width]``, ``output`` ``[width, size]``, ``post_norm`` float32
    ``[width]``, and ``output_scale`` as in ``MLPWeights``."""

    gate: Weight
    output: Weight
    post_norm: mx.array
    output_scale: mx.array | None = None


@dataclass(frozen=True, slots=True)
class AlternatingWeights:
    """What makes streams of embeddings and hidden states of streams (``AlternatingSpec``).

    ``projections``, ``unprojections``: ``[width, width]``, for each stream but the first.
    ``per_layer``: of all layers' further inputs.
    """

    projections: list[Weight]
    unprojections: list[Weight]
    per_layer: PerLayerEmbeddingWeights


@dataclass(frozen=True, slots=True)
class AlternatingLayerWeights:
    """Of one layer with S streams, beside its halves.

    ``router`` ``[S, width]``, of an input normed by ``router_norm``.
    ``prediction`` ``[S * S, S]``, ``correction`` ``[S, S]``: coefficients from what the router gives.
    ``correction_scale``: float32 ``[width]``, of the active stream where the further input's gate reads it.
    ``attention_norm``: that of the attention half, which the low-rank product takes its input through, too.
    ``laurel_left`` ``[rank, width]``, ``laurel_right`` ``[width, rank]``, ``laurel_norm``: the low-rank product.
    ``per_layer``: how the layer's further input is added.
    """

    router: Weight
    router_norm: mx.array
    prediction: Weight
    correction: Weight
    attention_norm: mx.array
    laurel_left: Weight
    laurel_right: Weight
    laurel_norm: mx.array
    per_layer: PerLayerInputWeights
    correction_scale: mx.array | None = None


FeedForwardWeights: TypeAlias = MLPWeights | ExpertsWeights
"""Of the kinds that ``FeedForwardSpec`` has."""

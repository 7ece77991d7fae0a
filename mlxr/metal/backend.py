"""The kernels' boundary: the few, coarse operations a model is made of.

``reference`` implements them in plain MLX operations and is what every other backend is held against; ``cpu`` (and
later ``metal`` and ``cuda``) implement the same protocol with kernels of their own. Models call nothing else, so a
kernel slots in with no change above.

Operations are lazy like all of MLX: they build a graph and return at once. Each row's result must not depend on
which other rows share the batch (kernels keep one order of summation for every batch shape), so that a sequence
reads the same alone and in company.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mlxr.metal.layout import Activation, AttentionSpec, Batch, PoolSpec, SamplingBatch
from mlxr.metal.tensors import Tensor

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

    ``norm`` None: the input is used as it is (post-norm encoders). Norm weights and biases are float32 vectors.
    ``*_norm`` of query and key are RMS norms over ``head_dim``. ``sinks`` float32 ``[heads]``: a learned score that
    joins each softmax's denominator.
    """

    query: Weight
    key: Weight
    value: Weight
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


@dataclass(frozen=True, slots=True)
class MLPWeights:
    """One gated MLP half: ``x + post_norm(down(activation(gate(n)) * up(n)))`` with ``n = norm(x)``.

    ``gate`` None: ungated, ``down(activation(up(n)))`` (BERT).
    """

    up: Weight
    down: Weight
    gate: Weight | None = None
    norm: mx.array | None = None
    post_norm: mx.array | None = None
    up_bias: mx.array | None = None
    down_bias: mx.array | None = None
    gate_bias: mx.array | None = None


@dataclass(slots=True)
class Pool:
    """The KV pool of one model. ``layers[i]`` is what the backend keeps for layer i; an operation that writes
    replaces it, and nothing else may hold those arrays, or MLX would copy the pool to write to it."""

    spec: PoolSpec
    layers: list[Any]
    nbytes: int


@dataclass(frozen=True, slots=True)
class SampledRows:
    """``tokens`` int32 ``[R]``, -1 where a row's best logit is not finite (NaN, or nothing allowed).

    With log-probabilities: ``logprobs`` float32 ``[R]`` of those tokens, and the best ``k`` alternatives as
    ``top_tokens`` int32 and ``top_logprobs`` float32 ``[R, k]``, descending; None without.
    """

    tokens: mx.array
    logprobs: mx.array | None = None
    top_tokens: mx.array | None = None
    top_logprobs: mx.array | None = None


Forward: TypeAlias = "Callable[[mx.array, Batch, Pool | None], mx.array]"
"""A model's layers: tokens int32 ``[T]``, their layout and the pool, to hidden states float32 ``[T, width]``."""


class Backend(Protocol):
    """One implementation of the operations. ``x`` is always float32 ``[T, features]``."""

    name: str

    def weight(self, tensor: Tensor, encodes: bool = False) -> Weight:
        """Take a matrix over from its file, repacked once if that pays. Raises ``ValueError`` for a type the backend
        lacks.

        ``encodes``: it is an encoder's, which multiplies many rows at once and whose errors no cache carries on, so
        floats may become 16-bit codes where those are faster."""
        ...

    def vector(self, tensor: Tensor) -> mx.array:
        """A norm weight or bias as float32 ``[n]``."""
        ...

    def pool(self, spec: PoolSpec) -> Pool: ...

    def pool_bytes(self, spec: PoolSpec) -> int:
        """Bytes that ``pool(spec)`` will take."""
        ...

    def compiled(self, forward: Forward) -> Forward:
        """``forward`` the way this backend runs it at every step. It must go through the same operations whatever the
        step, since a backend may note them down once."""
        ...

    def embed(self, tokens: mx.array, table: Weight, scale: float = 1.0) -> mx.array:
        """Rows ``tokens`` (int32 ``[T]``) of the table, times ``scale``: ``[T, features]``."""
        ...

    def linear(self, x: mx.array, weight: Weight, bias: mx.array | None = None) -> mx.array:
        """``x @ weight.T + bias``: ``[T, in]`` to ``[T, out]``."""
        ...

    def rms_norm(self, x: mx.array, weight: mx.array, eps: float) -> mx.array: ...

    def layer_norm(self, x: mx.array, weight: mx.array, bias: mx.array, eps: float) -> mx.array: ...

    def attention(
        self, x: mx.array, weights: AttentionWeights, spec: AttentionSpec, batch: Batch, pool: Pool | None, layer: int
    ) -> mx.array:
        """The attention half of a layer, residual included; writes keys and values of the step to the pool's pages
        first."""
        ...

    def mlp(self, x: mx.array, weights: MLPWeights, activation: Activation, norm_eps: float) -> mx.array:
        """The MLP half of a layer, residual included."""
        ...

    def logits(
        self, x: mx.array, rows: mx.array, norm: mx.array, norm_eps: float, head: Weight, softcap: float = 0.0
    ) -> mx.array:
        """Final norm and output projection of the token rows ``rows`` (int32 ``[R]``): float32 ``[R, vocab]``."""
        ...

    def sample(self, logits: mx.array, batch: SamplingBatch) -> SampledRows:
        """One token a row. Everything stays on the device."""
        ...

    def score(self, logits: mx.array, targets: mx.array, alternatives: int) -> SampledRows:
        """Log-probabilities of given tokens (int32 ``[R]``), with alternatives."""
        ...

    def copy_pages(self, pool: Pool, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy whole pages (source, target) in every layer, before anything later in the graph reads or writes them."""
        ...

    def barrier(self, pool: Pool) -> list[mx.array]:
        """Arrays that must be evaluated with a step so that its page writes happen."""
        ...

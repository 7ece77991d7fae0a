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
from typing import TYPE_CHECKING, Protocol, TypeAlias

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.specs import Activation, AttentionSpec
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import AttentionWeights, MLPWeights, Weight

if TYPE_CHECKING:
    import mlx.core as mx


Forward: TypeAlias = "Callable[[mx.array, Batch, Pool | None], mx.array]"
"""A model's layers: tokens int32 ``[T]``, their layout and the pool, to hidden states float32 ``[T, width]``."""


class Backend(Protocol):
    """One implementation of the operations. ``x`` is always float32 ``[T, features]``."""

    name: str

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        """Take a matrix over from its file, repacked once if that pays. Raises ``ValueError`` for a type the backend
        lacks.

        ``encoder``: the matrix is an encoder's, which multiplies many rows at once and whose errors no cache carries
        on, so floats may become 16-bit codes where those are faster."""
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

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        """Returns the log-probabilities of given ``tokens`` (int32 ``[R]``), with alternatives."""
        ...

    def copy_pages(self, pool: Pool, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy whole pages (source, target) in every layer, before anything later in the graph reads or writes them."""
        ...

    def barrier(self, pool: Pool) -> list[mx.array]:
        """Arrays that must be evaluated with a step so that its page writes happen."""
        ...

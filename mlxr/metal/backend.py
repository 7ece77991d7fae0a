"""The kernels' boundary: the few, coarse operations that a model is made of.

A backend prepares each operation once, when a model is loaded, from weights and a spec; the model calls what it was
given at every step. ``reference`` computes in plain MLX operations and is what every other backend is held against;
``cpu`` and ``mlx`` have kernels. Models call nothing else, so a kernel slots in with no change above.

Operations are lazy like all of MLX: they build a graph and return at once. Each row's result must not depend on
which other rows share the batch (kernels keep one order of summation for every batch shape), so that a sequence
reads the same alone and in company.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mlxr.metal.adapters import LowRank, Place
from mlxr.metal.batch import Batch
from mlxr.metal.operations import (
    DeviceBatch,
    EmbeddingOperation,
    FeedForwardOperation,
    Forward,
    HeadOperation,
    Layers,
    LayersOperation,
    MixerOperation,
    PerLayerEmbeddingOperation,
    PerLayerInputOperation,
    PlainLayer,
    RowOperation,
)
from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.pool import DeviceMemory, FilePools, Pool, PoolSpec
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.sizes import BackendSizes
from mlxr.metal.specs import (
    AttentionSpec,
    FeedForwardSpec,
    GatedDeltaNetSpec,
    LatentSpec,
    Mamba2Spec,
    NormKind,
    PerLayerEmbeddingSpec,
    PerLayerInputSpec,
    ShortConvSpec,
)
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import (
    AttentionWeights,
    FeedForwardWeights,
    GatedDeltaNetWeights,
    LatentWeights,
    Mamba2Weights,
    PerLayerEmbeddingWeights,
    PerLayerInputWeights,
    ShortConvWeights,
    Weight,
)

if TYPE_CHECKING:
    import mlx.core as mx
    import numpy as np
    from numpy.typing import NDArray


class Backend(Protocol):
    """One implementation of the operations. All methods and what they return belong to one thread.

    ``step_tokens``: how many tokens of a prompt in one step suit the device: more are hardly faster, and keep whoever
    comes next waiting.
    ``lazy_pages``: whether a pool's pages take memory when they are written to; if not, when there is room for them
    (``resize``).
    ``file_pools``: makes pools of a file's memory; None where there are none.
    ``sizes``: what weights and pools take here.
    ``first_steps``: sequences, and tokens of each, of steps that between them launch what is compiled at its first
    launch, and that ``compiled`` would change nothing of; none where nothing is compiled.
    """

    name: str
    step_tokens: int
    lazy_pages: bool
    file_pools: FilePools | None
    first_steps: Sequence[tuple[int, int]]
    sizes: BackendSizes

    @property
    def arithmetic(self) -> str:
        """What its results depend on, to the bit, beside its name and the versions of packages."""
        ...

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        """Takes a matrix over from its file, repacked once if that pays. Raises ``ValueError`` for a type the backend
        lacks.

        ``encoder``: the matrix is an encoder's, which multiplies many rows at once and whose errors no cache carries
        on, so floats may become 16-bit codes where those are faster."""
        ...

    def held_as(self, tensor: Tensor) -> str:
        """Returns the form that ``weight`` gives a matrix and how near it is to the file's numbers, for people; empty
        where the matrix is kept as the file has it."""
        ...

    def table(self, tensor: Tensor) -> Weight:
        """Takes over a matrix whose rows are looked up, never multiplied by: it stays in its file's own bits, since it
        may be most of a model. Raises as ``weight`` does."""
        ...

    def vector(self, tensor: Tensor) -> mx.array:
        """Returns a norm weight or bias as float32 ``[n]``."""
        ...

    def share_cpus(self, shared: bool) -> None:
        """Leaves a CPU to others from the next step on, or no more: where one has more than the CPUs to do, each
        thread that waits for another that waits for a CPU makes a step longer than a thread less would."""
        ...

    def forget_steps(self) -> None:
        """Lets go of what steps have left beside their pool for the next: the last broke, and what it left can't be
        computed, or was counted in part, and holds the pool that it had."""

    def pool(self, spec: PoolSpec) -> Pool:
        """Allocates a pool. Raises ``ValueError`` where it has a group of a kind that the backend can't keep."""
        ...

    def memory(self) -> DeviceMemory | None:
        """Returns what the device has left; None where it computes in the system's memory like any program."""
        ...

    def joined(self, layers: Sequence[PlainLayer]) -> LayersOperation | None:
        """Returns what computes these successive layers, operations of this backend's, better than one after another;
        None where nothing does."""
        ...

    def compiled(self, layers: Layers) -> Forward:
        """Returns ``layers`` the way this backend runs them at every step. They must go through the same operations
        whatever the step, since a backend may note them down once."""
        ...

    def on_device(self, batch: Batch) -> DeviceBatch:
        """Returns the layout of a step as operations take it; ``compiled`` does this for a whole model."""
        ...

    def embedding(self, table: Weight, scale: float = 1.0) -> EmbeddingOperation:
        """Looks tokens up in ``table`` and multiplies their rows by ``scale``; an id outside the table gives zeros."""
        ...

    def linear(self, weight: Weight, bias: mx.array | None = None) -> RowOperation:
        """Computes ``x @ weight.T + bias``."""
        ...

    def rms_norm(self, weight: mx.array, eps: float) -> RowOperation: ...

    def layer_norm(self, weight: mx.array, bias: mx.array | None, eps: float) -> RowOperation: ...

    def attention(self, weights: AttentionWeights, spec: AttentionSpec, layer: int) -> MixerOperation:
        """Prepares the attention half of a layer, which writes keys and values of the step to the pages of the pool's
        ``layer`` first, or has none and reads those of ``spec.kv_layer``. Pages that no query of the step can see are
        not read: they may be somebody else's by now."""
        ...

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        """Prepares the latent attention half of a layer, which writes the step's vectors to the pages of the pool's
        ``layer`` first. Raises ``ValueError`` for sizes that the backend can't compute."""
        ...

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        """Prepares the short convolution half of a layer, which takes a sequence's state from the pool's ``layer`` and
        leaves the next one there."""
        ...

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        """Prepares the Mamba-2 half of a layer, with states as in ``short_conv``. ``beside``: another mixer of the same
        backend that reads the same rows; what both give is added to these."""
        ...

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        """Prepares the gated delta rule's half of a layer, with states as in ``short_conv``."""
        ...

    def plain_recurrence(self, half: PlainRecurrence, layer: int) -> MixerOperation:
        """Prepares a recurrent half of plain MLX operations, with states as in ``short_conv``."""
        ...

    def feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> FeedForwardOperation:
        """Prepares the feed-forward half of a layer, residual included; to one without the number of its ``layer`` no
        adapter adds anything."""
        ...

    def low_rank(self, part: LowRank) -> Any:
        """Takes over what an adapter adds to one matrix; what it returns has ``nbytes``, or is a tuple of what has.
        Callable from any thread."""
        ...

    def adapter(self, parts: Mapping[Place, Any]) -> Any:
        """Returns an adapter as a batch has it (``AdapterUse``), of what ``low_rank`` returned for each place. Callable
        from any thread."""
        ...

    def parallel(
        self, mix: MixerOperation, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> MixerOperation:
        """Prepares a layer whose halves read the same input: ``mix``, which this backend prepared, and a feed-forward.
        Both are added to that input."""
        ...

    def per_layer_embedding(
        self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec
    ) -> PerLayerEmbeddingOperation:
        """Prepares the further inputs of all layers. A token outside the table counts as token 0."""
        ...

    def per_layer_input(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int
    ) -> PerLayerInputOperation:
        """Prepares the part of the layer that adds its further input, residual included."""
        ...

    def head(
        self,
        matrix: Weight,
        norm: mx.array,
        norm_eps: float,
        softcap: float = 0.0,
        *,
        kind: NormKind = NormKind.RMS,
        norm_bias: mx.array | None = None,
        bias: mx.array | None = None,
    ) -> HeadOperation:
        """Prepares the final norm, of a ``kind``, and output projection; logits become
        ``softcap * tanh(logit / softcap)`` where that is not 0."""
        ...

    def sample(self, logits: mx.array, batch: SamplingBatch) -> SampledRows:
        """Draws one token a row. Everything stays on the device."""
        ...

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        """Returns the log-probabilities of given ``tokens`` (int32 ``[R]``), with alternatives."""
        ...

    def copy_pages(self, pool: Pool, group: int, pairs: Sequence[tuple[int, int]]) -> None:
        """Copies whole pages (source, target) in every layer of the cache group ``group``, one after another, before
        anything later in the graph reads or writes them."""
        ...

    def page_bytes(self, pool: Pool, group: int) -> int:
        """Returns how many bytes ``read_pages`` gives of a page."""
        ...

    def read_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        """Copies what all layers of the cache group ``group`` keep in ``pages`` to ``content``, uint8 ``[pages,
        page_bytes]``. Steps that write to them must have run."""
        ...

    def write_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        """Copies ``content``, as ``read_pages`` gives it, to ``pages``, no two of them the same. Steps that use them
        must have run."""

    def touch_pages(self, pool: Pool, group: int, pages: Sequence[int], goes_on: Callable[[], bool]) -> None:
        """Has the system give memory to ``pages``, which change nothing, the last layer's first, while ``goes_on`` says
        so. On any thread, beside all others. Does nothing where they have theirs."""

    def resize(self, pool: Pool, pages: Sequence[int]) -> None:
        """Gives each group so many pages: the first ones keep what they hold, and the memory of those that go is
        free. Nothing that reads or writes pages may be running."""
        ...

    def barrier(self, pool: Pool) -> list[mx.array]:
        """Returns arrays that must be evaluated with a step so that its page writes happen."""
        ...

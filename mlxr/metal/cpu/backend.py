"""The native CPU backend: the operations of ``mlxr.metal.backend`` on C++ kernels (``native/``).

Embedding and layers become one MLX primitive (see ``native/module/primitives.h``), so a decode step is three tasks:
layers, logits and sampling. Matrices stay in their file's own bits, repacked for the CPU's vectors; keys and values are
half precision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapted_rows import row_stacks
from mlxr.metal.adapters import LowRank, Place, place_number
from mlxr.metal.batch import Batch
from mlxr.metal.cpu import _native, plain
from mlxr.metal.cpu.half_precision import in_halves
from mlxr.metal.cpu.layers import (
    attention_layer,
    experts_layer,
    gated_delta_net_layer,
    latent_layer,
    mamba2_layer,
    mlp_layer,
    per_layer_embedding,
    per_layer_input,
    short_conv_layer,
)
from mlxr.metal.cpu.matrices import held_as, pack
from mlxr.metal.cpu.pages import (
    KINDS,
    allocate,
    native_pool,
    page_bytes,
    pages_of,
    read_pages,
    touch_pages,
    write_pages,
)
from mlxr.metal.cpu.sampling import sampling_rows
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.host_step import HostStep
from mlxr.metal.operations import (
    EmbeddingOperation,
    FeedForwardOperation,
    Forward,
    HeadOperation,
    Layers,
    MixerOperation,
    PerLayerEmbeddingOperation,
    PerLayerInputOperation,
    RowOperation,
)
from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.pool import Pool, PoolSpec, require_kinds
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.reference.sparse_mlp import SparseMLP
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.sizes import BackendSizes
from mlxr.metal.specs import (
    AttentionSpec,
    ExpertsSpec,
    FeedForwardSpec,
    GatedDeltaNetSpec,
    LatentSpec,
    Mamba2Spec,
    MLPSpec,
    NormKind,
    PerLayerEmbeddingSpec,
    PerLayerInputSpec,
    Rope,
    RopeStyle,
    ShortConvSpec,
)
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import (
    AttentionWeights,
    ExpertsWeights,
    FeedForwardWeights,
    GatedDeltaNetWeights,
    LatentWeights,
    Mamba2Weights,
    MLPWeights,
    PerLayerEmbeddingWeights,
    PerLayerInputWeights,
    ShortConvWeights,
    Weight,
)

INT16_COLUMNS = (4, 8, 16, 32, 64)
"""Of which instruction sets want a multiple for 16-bit products."""


class CpuBackend:
    """Implements ``mlxr.metal.backend.Backend``.

    ``threads``: how many compute, that of MLX's stream among them; 0 for as many as the process may use. ``isa`` picks
    an instruction set other than the CPU's best (``_native.isas()`` lists them); ``ValueError`` for one it lacks.

    ``pause`` is called every millisecond or so while a matrix is packed.

    A weight's handle is a ``_native.Matrix``. All operations must be used from one thread.
    """

    name = "cpu"
    step_tokens = 512
    lazy_pages = True
    first_steps: Sequence[tuple[int, int]] = ()

    def __init__(self, threads: int = 0, isa: str | None = None, pause: Callable[[], None] | None = None) -> None:
        self._engine = _native.Engine(threads, isa)
        self._pause = pause
        int16 = next((columns for columns in INT16_COLUMNS if self._engine.has_int16(columns)), 0)
        self.sizes: BackendSizes = CpuSizes(int16)
        self._ropes: dict[Rope, _native.Rope] = {}
        self._sampling: tuple[SamplingBatch, _native.SamplingRows] | None = None
        self._adapters: tuple[Batch, _native.AdapterRows] | None = None

    @property
    def threads(self) -> int:
        return int(self._engine.threads)

    @property
    def isa(self) -> str:
        return str(self._engine.isa)

    @property
    def arithmetic(self) -> str:
        return f"{self.isa} {_module_digest()}"

    def measure_reading(self) -> float:
        """Returns the bytes a second that the threads read of memory, whatever they do with them."""
        return self._engine.reading()

    def measure_products(self) -> float:
        """Returns how many codes a second can meet activations of 16 bits, wherever they come from."""
        return self._engine.products()

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        if len(tensor.shape) != 2:
            raise ValueError(f"{tensor.name} has the shape {tensor.shape} and is no matrix")
        return pack(self._engine, tensor, encoder, self._pause)

    def held_as(self, tensor: Tensor) -> str:
        return held_as(tensor)

    def table(self, tensor: Tensor) -> Weight:
        return self.weight(tensor)

    def vector(self, tensor: Tensor) -> mx.array:
        return mx.array(dequantize(tensor).reshape(-1))

    def forget_steps(self) -> None:
        """They leave nothing."""

    def pool(self, spec: PoolSpec) -> Pool:
        require_kinds(spec, self.name, *KINDS)
        native = allocate(spec)
        return Pool(spec, dict.fromkeys((layer for layer, _, _ in spec.layers()), native), self.sizes.pool(spec))

    def memory(self) -> None:
        return None

    def compiled(self, layers: Layers) -> Forward:
        """Notes the model's operations at the first step and repeats them in one call, where they are one chain."""
        program: _native.Program | None = None

        def run(tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
            nonlocal program
            step = self.on_device(batch)
            if program is None:
                hidden = layers(tokens, step, pool)
                program = _native.record(self._engine, hidden)
                return hidden
            pages = native_pool(pool) if pool is not None else None
            return _native.replay(self._engine, program, tokens, step.native, pages)

        return run

    def on_device(self, batch: Batch) -> Step:
        native = _native.Batch(
            query_starts=batch.query_starts,
            context_lengths=batch.context_lengths,
            positions=batch.positions,
            groups=[(group.slots, group.block_tables, group.page_size) for group in batch.groups],
            adapters=self._adapter_rows(batch) if batch.adapters else None,
            outputs=batch.outputs,
        )
        return Step(batch, native)

    def embedding(self, table: Weight, scale: float = 1.0) -> EmbeddingOperation:
        return lambda tokens: _native.embed(self._engine, tokens, table.handle, scale)

    def linear(self, weight: Weight, bias: mx.array | None = None) -> RowOperation:
        return partial(_native.linear, self._engine, linear=_native.Linear(matrix=weight.handle, bias=bias))

    def rms_norm(self, weight: mx.array, eps: float) -> RowOperation:
        return partial(_native.norm, self._engine, norm=_native.Norm(weight=weight, bias=None, centred=False, eps=eps))

    def layer_norm(self, weight: mx.array, bias: mx.array | None, eps: float) -> RowOperation:
        norm = _native.Norm(weight=weight, bias=bias, centred=True, eps=eps)
        return partial(_native.norm, self._engine, norm=norm)

    def attention(self, weights: AttentionWeights, spec: AttentionSpec, layer: int) -> MixerOperation:
        native = attention_layer(weights, spec, self._rope(spec.rope))

        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            pages = native_pool(pool) if pool is not None and spec.causal else None
            return _native.attention(self._engine, x, native, step.native, pages, layer)

        return attend

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        native = latent_layer(weights, spec, self._rope(spec.rope))

        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            pages = None if pool is None else pool.layers[layer]
            return _native.latent_attention(self._engine, x, native, step.native, pages, layer)

        return attend

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        native = short_conv_layer(weights, spec)
        return lambda x, step, pool: _native.short_conv(
            self._engine, x, native, step.native, pages_of(pool, layer), layer
        )

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        native = mamba2_layer(weights, spec, kept=beside is not None)

        def run(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            rows = x if beside is None else beside(_native.keep(self._engine, x), step, pool)
            return _native.mamba2(self._engine, rows, native, step.native, pages_of(pool, layer), layer)

        return run

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        native = gated_delta_net_layer(weights, spec)
        return lambda x, step, pool: _native.gated_delta_net(
            self._engine, x, native, step.native, pages_of(pool, layer), layer
        )

    def plain_recurrence(self, half: PlainRecurrence, layer: int) -> MixerOperation:
        norm = self.rms_norm(half.norm, half.norm_eps)
        output = self.linear(half.output, half.output_bias)

        def mix(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            if not step.batch.tokens:
                return x
            if pool is not None:
                mx.eval(self.barrier(pool))  # pages that are to be copied are, before they are read here
            return plain.mixed(half, norm, output, layer, x, step.batch, pool)

        return mix

    def feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> FeedForwardOperation:
        if isinstance(spec, MLPSpec) and isinstance(weights, MLPWeights) and spec.sparsity is not None:
            return SparseMLP(self, weights, spec)
        return self._feed_forward(weights, spec, layer, kept=False)

    def parallel(
        self, mix: MixerOperation, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> MixerOperation:
        feed_forward = self._feed_forward(weights, spec, layer, kept=True)

        def run(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            return feed_forward(mix(_native.keep(self._engine, x), step, pool), step)

        return run

    def _feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None, kept: bool
    ) -> FeedForwardOperation:
        """``kept``: computed from the rows that were kept last, and added to those that it is given."""
        if isinstance(weights, ExpertsWeights):
            assert isinstance(spec, ExpertsSpec)
            return self._experts(weights, spec, kept)
        native = mlp_layer(weights, spec, layer, kept)

        def run(x: mx.array, step: Step | None = None) -> mx.array:
            return _native.mlp(self._engine, x, native, None if step is None else step.native)

        return run

    def low_rank(self, part: LowRank) -> _native.LowRank:
        return _native.LowRank(in_halves(part.down), in_halves(part.up), part.scaling)

    def adapter(self, parts: Mapping[Place, Any]) -> _native.Adapter:
        return _native.Adapter([(place_number(*place), part) for place, part in parts.items()])

    def _adapter_rows(self, batch: Batch) -> _native.AdapterRows:
        """Returns the native form of a batch's adapters: the last step's where nothing has changed but positions."""
        if self._adapters is not None:
            before, native = self._adapters
            same = before.query_starts is batch.query_starts or np.array_equal(before.query_starts, batch.query_starts)
            if same and before.adapters == batch.adapters:
                return native
        stacks, owners = row_stacks(batch)
        native = _native.AdapterRows([[(use.adapter, use.scale) for use in stack] for stack in stacks], owners)
        self._adapters = batch, native
        return native

    def _experts(self, weights: ExpertsWeights, spec: ExpertsSpec, kept: bool) -> FeedForwardOperation:
        native = experts_layer(weights, spec, kept)
        return lambda x, step=None: _native.experts(self._engine, x, native)

    def per_layer_embedding(
        self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec
    ) -> PerLayerEmbeddingOperation:
        native = per_layer_embedding(weights, spec)
        return lambda tokens, x: (_native.per_layer_embedding(self._engine, x, tokens, native), None)

    def per_layer_input(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int
    ) -> PerLayerInputOperation:
        """The inputs lie in the engine's memory: ``x`` must be computed from what their operation returned."""
        native = per_layer_input(weights, spec, layer)
        return lambda x, inputs: _native.per_layer_input(self._engine, x, native)

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
        native = _native.Head(
            matrix=matrix.handle,
            norm=norm,
            norm_bias=norm_bias,
            centred=kind is NormKind.LAYER,
            norm_eps=norm_eps,
            bias=bias,
            softcap=softcap,
        )
        return partial(_native.logits, self._engine, head=native)

    def sample(self, logits: mx.array, batch: SamplingBatch) -> SampledRows:
        if self._sampling is None or self._sampling[0] is not batch:
            self._sampling = (batch, sampling_rows(batch))
        return SampledRows(*_native.sample(self._engine, logits, self._sampling[1]))

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        return SampledRows(*_native.token_logprobs(self._engine, logits, tokens, alternatives))

    def copy_pages(self, pool: Pool, group: int, pairs: Sequence[tuple[int, int]]) -> None:
        native = native_pool(pool)
        for source, target in pairs:
            native.copy_page(group, source, target)

    def page_bytes(self, pool: Pool, group: int) -> int:
        return page_bytes(pool, group)

    def read_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        read_pages(pool, group, pages, content)

    def write_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        write_pages(pool, group, pages, content)

    def touch_pages(self, pool: Pool, group: int, pages: Sequence[int], goes_on: Callable[[], bool]) -> None:
        touch_pages(pool, group, pages, goes_on)

    def resize(self, pool: Pool, pages: Sequence[int]) -> None:
        """Pages that go cost nothing any more; there is room for the most there can be at any time."""
        mx.eval(self.barrier(pool))
        for index, (part, count) in enumerate(zip(pool.spec.groups, pages, strict=True)):
            if count < part.pages:
                native_pool(pool).discard(index, count)
        pool.spec = pool.spec.sized(pages)
        pool.nbytes = self.sizes.pool(pool.spec)

    def barrier(self, pool: Pool) -> list[mx.array]:
        return list(_native.barrier(self._engine, native_pool(pool)))

    def _rope(self, rope: Rope | None) -> _native.Rope | None:
        """Returns one native object for all layers of a rope, since a step makes a table of angles for each object."""
        if rope is None:
            return None
        if rope not in self._ropes:
            neighbours = rope.style is RopeStyle.NORMAL
            self._ropes[rope] = _native.Rope(neighbours, list(rope.inverse_frequencies), rope.magnitude)
        return self._ropes[rope]


def _module_digest() -> str:
    """Changes when the native module does."""
    with open(_native.__file__, "rb") as module:
        return hashlib.file_digest(module, "blake2s").hexdigest()


@dataclass(frozen=True, slots=True)
class Step(HostStep):
    """The native backend's ``DeviceBatch``."""

    native: _native.Batch

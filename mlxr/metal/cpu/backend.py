"""The native CPU backend: the operations of ``mlxr.metal.backend`` on C++ kernels (``native/``).

Embedding and layers become one MLX primitive (see ``native/module/primitives.h``), so a decode step is three tasks:
layers, logits and sampling. Matrices stay in their file's own bits, repacked for the CPU's vectors; keys and values are
half precision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapted_rows import row_stacks
from mlxr.metal.adapters import LowRank, Place, place_number
from mlxr.metal.batch import Batch
from mlxr.metal.cpu import _native
from mlxr.metal.cpu.file_pools import CpuFilePools
from mlxr.metal.cpu.half_precision import in_halves
from mlxr.metal.cpu.layer_operations import LayerOperations
from mlxr.metal.cpu.matrices import held_as, pack
from mlxr.metal.cpu.pages import KINDS, allocate, native_pool, page_bytes, read_pages, touch_pages, write_pages
from mlxr.metal.cpu.sampling import sampling_rows
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.cpu.step import Step
from mlxr.metal.operations import Forward, Layers
from mlxr.metal.pool import FilePools, Pool, PoolSpec, require_kinds
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.sizes import BackendSizes
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import Weight

INT16_COLUMNS = (4, 8, 16, 32, 64)
"""Of which instruction sets want a multiple for 16-bit products."""


class CpuBackend(LayerOperations):
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
        super().__init__(_native.Engine(threads, isa))
        self._pause = pause
        int16 = next((columns for columns in INT16_COLUMNS if self._engine.has_int16(columns)), 0)
        self.sizes: BackendSizes = CpuSizes(int16)
        self.file_pools: FilePools | None = CpuFilePools(self.name, self.sizes)
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

    def share_cpus(self, shared: bool) -> None:
        self._engine.use(max(1, self.threads - 1) if shared else self.threads)

    def forget_steps(self) -> None:
        """They leave nothing."""

    def pool(self, spec: PoolSpec) -> Pool:
        require_kinds(spec, self.name, *KINDS)
        native = allocate(spec)
        return Pool(spec, dict.fromkeys((layer for layer, _, _ in spec.layers()), native), self.sizes.pool(spec))

    def memory(self) -> None:
        return None

    def joined(self, layers: Sequence[object]) -> None:
        """One after another is best."""

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


def _module_digest() -> str:
    """Changes when the native module does."""
    with open(_native.__file__, "rb") as module:
        return hashlib.file_digest(module, "blake2s").hexdigest()

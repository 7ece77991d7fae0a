"""The native CPU backend: the operations of ``mlxr.metal.backend`` on C++ kernels (``native/``).

Embedding and layers become one MLX primitive (see ``native/module/primitives.h``), so a decode step is three tasks:
layers, logits and sampling. Matrices stay in their file's own bits, repacked for the CPU's vectors; keys and values are
half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.backend import Forward
from mlxr.metal.batch import Batch
from mlxr.metal.cpu import _native
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.specs import Activation, AttentionSpec, Rope, RopeStyle
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import AttentionWeights, MLPWeights, Weight

FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)
"""Types that may be kept as 16-bit codes."""


class CpuBackend:
    """Implements ``mlxr.metal.backend.Backend``.

    ``threads``: how many compute, that of MLX's stream among them; 0 for as many as the process may use. ``isa`` picks
    an instruction set other than the CPU's best (``_native.isas()`` lists them); ``ValueError`` for one it lacks.

    A weight's handle is a ``_native.Matrix``. All operations must be used from one thread.
    """

    name = "cpu"

    def __init__(self, threads: int = 0, isa: str | None = None) -> None:
        self._engine = _native.Engine(threads, isa)
        self._ropes: dict[int, tuple[Rope, _native.Rope]] = {}
        # Native layers by the identity of what they were made from, which is kept beside them so that no id is reused.
        self._attention: dict[tuple[int, int], tuple[AttentionWeights, AttentionSpec, _native.AttentionLayer]] = {}
        self._mlps: dict[tuple[int, Activation, float], tuple[MLPWeights, _native.MlpLayer]] = {}
        self._heads: dict[tuple[int, int, float, float], tuple[Weight, mx.array, _native.Head]] = {}
        self._batch: tuple[Batch, _native.Batch] | None = None
        self._sampling: tuple[SamplingBatch, _native.SamplingRows] | None = None

    @property
    def threads(self) -> int:
        return int(self._engine.threads)

    @property
    def isa(self) -> str:
        return str(self._engine.isa)

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        if len(tensor.shape) != 2:
            raise ValueError(f"{tensor.name} has the shape {tensor.shape} and is no matrix")
        rows, columns = tensor.shape
        if encoder and tensor.type in FLOATS and self._engine.has_words(columns):
            matrix = self._engine.pack_words(rows, columns, np.ascontiguousarray(dequantize(tensor)))
            return Weight((rows, columns), matrix, matrix.nbytes)
        try:
            matrix = self._engine.pack(tensor.type.value, rows, columns, tensor.data, **_extras(tensor))
        except ValueError as error:
            raise ValueError(f"{tensor.name} ({tensor.type}, {rows} x {columns}): {error}") from error
        return Weight((rows, columns), matrix, matrix.nbytes)

    def vector(self, tensor: Tensor) -> mx.array:
        return mx.array(dequantize(tensor).reshape(-1))

    def pool(self, spec: PoolSpec) -> Pool:
        pool = _native.Pool(spec.layers, spec.pages, spec.page_size, spec.kv_heads, spec.head_dim)
        return Pool(spec, [pool], self.pool_bytes(spec))

    def pool_bytes(self, spec: PoolSpec) -> int:
        return int(_native.pool_bytes(spec.layers, spec.pages, spec.page_size, spec.kv_heads, spec.head_dim))

    def compiled(self, forward: Forward) -> Forward:
        """Notes the model's operations at the first step and repeats them in one call, where they are one chain."""
        program: _native.Program | None = None

        def run(tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
            nonlocal program
            if program is None:
                hidden = forward(tokens, batch, pool)
                program = _native.record(self._engine, hidden)
                return hidden
            pages = pool.layers[0] if pool is not None else None
            return _native.replay(self._engine, program, tokens, self._native_batch(batch), pages)

        return run

    def embed(self, tokens: mx.array, table: Weight, scale: float = 1.0) -> mx.array:
        return _native.embed(self._engine, tokens, table.handle, scale)

    def linear(self, x: mx.array, weight: Weight, bias: mx.array | None = None) -> mx.array:
        return _native.linear(self._engine, x, weight.handle, bias)

    def rms_norm(self, x: mx.array, weight: mx.array, eps: float) -> mx.array:
        return _native.norm(self._engine, x, weight, None, eps)

    def layer_norm(self, x: mx.array, weight: mx.array, bias: mx.array, eps: float) -> mx.array:
        return _native.norm(self._engine, x, weight, bias, eps)

    def attention(
        self, x: mx.array, weights: AttentionWeights, spec: AttentionSpec, batch: Batch, pool: Pool | None, layer: int
    ) -> mx.array:
        known = self._attention.get((id(weights), id(spec)))
        native = known[2] if known is not None else self._attention_layer(weights, spec)
        pages = pool.layers[0] if pool is not None and spec.causal else None
        return _native.attention(self._engine, x, native, self._native_batch(batch), pages, layer)

    def mlp(self, x: mx.array, weights: MLPWeights, activation: Activation, norm_eps: float) -> mx.array:
        known = self._mlps.get((id(weights), activation, norm_eps))
        native = known[1] if known is not None else self._mlp_layer(weights, activation, norm_eps)
        return _native.mlp(self._engine, x, native)

    def logits(
        self, x: mx.array, rows: mx.array, norm: mx.array, norm_eps: float, head: Weight, softcap: float = 0.0
    ) -> mx.array:
        key = (id(head), id(norm), norm_eps, softcap)
        if key not in self._heads:
            self._heads[key] = (head, norm, _native.Head(head.handle, norm, norm_eps, softcap))
        return _native.logits(self._engine, x, rows, self._heads[key][2])

    def sample(self, logits: mx.array, batch: SamplingBatch) -> SampledRows:
        if self._sampling is None or self._sampling[0] is not batch:
            self._sampling = (batch, _sampling_rows(batch))
        return SampledRows(*_native.sample(self._engine, logits, self._sampling[1]))

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        return SampledRows(*_native.score(self._engine, logits, tokens, alternatives))

    def copy_pages(self, pool: Pool, pairs: Sequence[tuple[int, int]]) -> None:
        pool.layers[0].copy_pages(list(pairs))

    def barrier(self, pool: Pool) -> list[mx.array]:
        return list(_native.barrier(self._engine, pool.layers[0]))

    def _native_batch(self, batch: Batch) -> _native.Batch:
        """The native form of a step's layout, made for its first layer and kept for the others."""
        if self._batch is None or self._batch[0] is not batch:
            native = _native.Batch(
                batch.query_starts,
                batch.context_lengths,
                batch.positions,
                batch.slots,
                batch.block_tables,
                batch.page_size,
            )
            self._batch = (batch, native)
        return self._batch[1]

    def _attention_layer(self, weights: AttentionWeights, spec: AttentionSpec) -> _native.AttentionLayer:
        vectors = [
            weights.norm,
            weights.query_norm,
            weights.key_norm,
            weights.post_norm,
            weights.query_bias,
            weights.key_bias,
            weights.value_bias,
            weights.output_bias,
            weights.sinks,
        ]
        native = _native.AttentionLayer(
            weights.query.handle,
            weights.key.handle,
            weights.value.handle,
            weights.output.handle,
            vectors,
            heads=spec.heads,
            kv_heads=spec.kv_heads,
            head_dim=spec.head_dim,
            window=spec.window,
            causal=spec.causal,
            rope=None if spec.rope is None else self._rope(spec.rope),
            scale=spec.scale,
            norm_eps=spec.norm_eps,
            softcap=spec.softcap,
        )
        self._attention[id(weights), id(spec)] = (weights, spec, native)
        return native

    def _rope(self, rope: Rope) -> _native.Rope:
        """One native object a rope, so that layers share its table of angles."""
        if id(rope) not in self._ropes:
            neighbours = rope.style is RopeStyle.NORMAL
            native = _native.Rope(neighbours, list(rope.inverse_frequencies), rope.magnitude)
            self._ropes[id(rope)] = (rope, native)
        return self._ropes[id(rope)][1]

    def _mlp_layer(self, weights: MLPWeights, activation: Activation, norm_eps: float) -> _native.MlpLayer:
        vectors = [weights.norm, weights.post_norm, weights.up_bias, weights.down_bias]
        native = _native.MlpLayer(
            weights.up.handle,
            weights.down.handle,
            None if weights.gate is None else weights.gate.handle,
            vectors if weights.gate_bias is None else [*vectors, weights.gate_bias],
            activation.value,
            norm_eps,
        )
        self._mlps[id(weights), activation, norm_eps] = (weights, native)
        return native


def _sampling_rows(batch: SamplingBatch) -> _native.SamplingRows:
    return _native.SamplingRows(
        [
            batch.temperature,
            batch.top_p,
            batch.min_p,
            batch.typical_p,
            batch.repetition,
            batch.presence,
            batch.frequency,
            batch.uniform,
        ],
        batch.top_k,
        batch.history,
        batch.generated,
        batch.bias_rows,
        batch.bias_tokens,
        batch.bias_values,
        None,
        None if batch.validator is None else batch.validator.forbidden,
        batch.logprobs,
    )


def _extras(tensor: Tensor) -> dict[str, Any]:
    """Arguments of ``_native.Engine.pack`` for what a type keeps beside its blocks."""
    extras = tensor.extras
    if tensor.type is TensorType.FP8_E4M3 and "scale" in extras:
        scale = np.ascontiguousarray(extras["scale"], np.float32)
        block = extras.get("block")
        rows, columns = (0, 0) if block is None else (int(n) for n in block)
        return {"scale": scale.reshape(-1), "scale_rows": rows, "scale_cols": columns}
    if tensor.type is TensorType.NF4:
        return {
            "absmax": _absmax(tensor),
            "absmax_block": int(extras["block"]),
            "map": np.ascontiguousarray(extras["map"], np.float32),
        }
    return {}


def _absmax(tensor: Tensor) -> NDArray[np.float32]:
    """The block scales of an NF4 matrix, un-nested where they are quantized themselves (bitsandbytes)."""
    extras = tensor.extras
    absmax = extras["absmax"].reshape(-1)
    if absmax.dtype != np.uint8:
        return np.ascontiguousarray(absmax, np.float32)
    groups = np.repeat(extras["nested_absmax"].reshape(-1), int(extras["nested_block"]))[: len(absmax)]
    levels = np.asarray(extras["nested_map"], np.float32)[absmax]
    return np.ascontiguousarray(levels * groups + np.float32(extras["offset"]), np.float32)

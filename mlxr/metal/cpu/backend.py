"""The native CPU backend: the operations of ``mlxr.metal.backend`` on C++ kernels (``native/``).

Embedding and layers become one MLX primitive (see ``native/module/primitives.h``), so a decode step is three tasks:
layers, logits and sampling. Matrices stay in their file's own bits, repacked for the CPU's vectors; keys and values are
half precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal import fp4
from mlxr.metal.adapters import LowRank, Place, place_number, row_stacks
from mlxr.metal.affine import AFFINE_TYPES, as_affine, native_blocks
from mlxr.metal.backend import (
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
from mlxr.metal.batch import Batch
from mlxr.metal.codebooks import CODEBOOK_TYPES, codebook
from mlxr.metal.cpu import _native
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec, require_kinds
from mlxr.metal.reference.alternating import Alternating, AlternatingLayer, SparseMLP
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.specs import (
    AlternatingSpec,
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
    Temperature,
)
from mlxr.metal.tensor_rows import block_scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import (
    AlternatingLayerWeights,
    AlternatingWeights,
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
from mlxr.runtime.messages.kv import CacheKind

HELD_AS = {
    TensorType.AFFINE: "blocks of 32 codes, scales rounded to 16 bits",
    TensorType.Q1_0: "2-bit codes in blocks of 32, exact",
    TensorType.Q2_0: "2-bit codes in blocks of 32, exact",
    TensorType.MXFP8: "FP8 with its scales, exact",
}
"""Types that are repacked, in words, for people."""

FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)
"""Types that may be kept as 16-bit codes."""

KINDS = (CacheKind.FULL, CacheKind.WINDOW, CacheKind.LATENT, CacheKind.STATE)
"""What a pool's pages may hold: keys, values and latents as half-precision, states as float32 numbers."""


class CpuBackend:
    """Implements ``mlxr.metal.backend.Backend``.

    ``threads``: how many compute, that of MLX's stream among them; 0 for as many as the process may use. ``isa`` picks
    an instruction set other than the CPU's best (``_native.isas()`` lists them); ``ValueError`` for one it lacks.

    A weight's handle is a ``_native.Matrix``. All operations must be used from one thread.
    """

    name = "cpu"
    step_tokens = 512

    def __init__(self, threads: int = 0, isa: str | None = None) -> None:
        self._engine = _native.Engine(threads, isa)
        self._ropes: dict[Rope, _native.Rope] = {}
        self._sampling: tuple[SamplingBatch, _native.SamplingRows] | None = None
        self._adapters: tuple[Batch, _native.AdapterRows] | None = None

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
        if encoder and tensor.type in FLOATS and self._engine.has_int16(columns):
            matrix = self._engine.pack_int16(rows, columns, np.ascontiguousarray(dequantize(tensor)))
            return Weight((rows, columns), matrix, matrix.nbytes)
        try:
            if tensor.type in AFFINE_TYPES:
                tensor = as_affine(tensor)
            elif tensor.type is TensorType.MXFP8:
                tensor = _float8(tensor)
            if tensor.type is TensorType.AFFINE:
                layout, codes = native_blocks(tensor)
                matrix = self._engine.pack(layout, rows, columns, codes)
            elif tensor.type in CODEBOOK_TYPES:
                book = codebook(tensor)
                blocks, values = book.blocks.view(np.uint8), book.values.astype(np.float32)
                matrix = self._engine.pack("CODEBOOK", rows, columns, blocks, map=values)
            else:
                matrix = self._engine.pack(tensor.type.value, rows, columns, tensor.data, **_extras(tensor))
        except ValueError as error:
            raise ValueError(f"{tensor.name} ({tensor.type}, {rows} x {columns}): {error}") from error
        return Weight((rows, columns), matrix, matrix.nbytes)

    def held_as(self, tensor: Tensor) -> str:
        if tensor.type in CODEBOOK_TYPES:
            return "4-bit indices into a table of its values, exact"
        if tensor.type is TensorType.NVFP4 and tensor.extras:
            return "its own codes, scales rounded to 16 bits"
        return HELD_AS.get(tensor.type, "")

    def table(self, tensor: Tensor) -> Weight:
        return self.weight(tensor)

    def vector(self, tensor: Tensor) -> mx.array:
        return mx.array(dequantize(tensor).reshape(-1))

    def pool(self, spec: PoolSpec) -> Pool:
        require_kinds(spec, self.name, *KINDS)
        native = _native.Pool()
        for part in spec.groups:
            layers, shape = list(part.group.layers), _shape(part)
            match part.group.kind:
                case CacheKind.STATE:
                    native.add_states(layers=layers, **shape)
                case CacheKind.LATENT:
                    native.add_latents(layers=layers, **shape)
                case CacheKind.FULL | CacheKind.WINDOW:
                    native.add_keys_and_values(layers=layers, **shape)
        return Pool(spec, dict.fromkeys((layer for layer, _, _ in spec.layers()), native), self.pool_bytes(spec))

    def pool_bytes(self, spec: PoolSpec) -> int:
        require_kinds(spec, self.name, *KINDS)
        return sum(map(_group_bytes, spec.groups))

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
            pages = _native_pool(pool) if pool is not None else None
            return _native.replay(self._engine, program, tokens, step.native, pages)

        return run

    def on_device(self, batch: Batch) -> Step:
        native = _native.Batch(
            query_starts=batch.query_starts,
            context_lengths=batch.context_lengths,
            positions=batch.positions,
            groups=[(group.slots, group.block_tables, group.page_size) for group in batch.groups],
            adapters=self._adapter_rows(batch) if batch.adapters else None,
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
        temperature = spec.temperature or Temperature(0.0, 0)
        native = _native.AttentionLayer(
            query=weights.query.handle,
            key=None if weights.key is None else weights.key.handle,
            value=None if weights.value is None else weights.value.handle,
            output=weights.output.handle,
            gate=None if weights.gate is None else weights.gate.handle,
            norm=weights.norm,
            norm_bias=weights.norm_bias,
            centred=spec.norm is NormKind.LAYER,
            query_norm=weights.query_norm,
            key_norm=weights.key_norm,
            post_norm=weights.post_norm,
            query_bias=weights.query_bias,
            key_bias=weights.key_bias,
            value_bias=weights.value_bias,
            output_bias=weights.output_bias,
            sinks=weights.sinks,
            heads=spec.heads,
            kv_heads=spec.kv_heads,
            head_dim=spec.head_dim,
            window=spec.window,
            causal=spec.causal,
            norm_values=spec.norm_values,
            chunked=spec.chunked,
            kv_layer=-1 if spec.kv_layer is None else spec.kv_layer,
            rope=None if spec.rope is None else self._rope(spec.rope),
            rope_first=spec.rope_first,
            temperature=temperature.scale,
            temperature_length=temperature.length,
            temperature_offset=temperature.offset,
            scale=spec.scale,
            norm_eps=spec.norm_eps,
            softcap=spec.softcap,
            alibi=list(spec.alibi),
        )

        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            pages = _native_pool(pool) if pool is not None and spec.causal else None
            return _native.attention(self._engine, x, native, step.native, pages, layer)

        return attend

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        temperature: dict[str, Any] = {}
        if (grows := spec.temperature) is not None:
            temperature = {
                "temperature": grows.scale,
                "temperature_length": grows.length,
                "temperature_offset": grows.offset,
            }
        native = _native.LatentLayer(
            query_down=None if weights.query_down is None else weights.query_down.handle,
            query=weights.query.handle,
            latent=weights.latent.handle,
            key_up=weights.key_up.handle,
            value_up=weights.value_up.handle,
            output=weights.output.handle,
            norm=weights.norm,
            query_norm=weights.query_norm,
            latent_norm=weights.latent_norm,
            heads=spec.heads,
            rank=spec.rank,
            plain_dims=spec.plain_dims,
            rope_dims=spec.rope_dims,
            value_dims=spec.value_dims,
            rope=None if spec.rope is None else self._rope(spec.rope),
            scale=spec.scale,
            norm_eps=spec.norm_eps,
            latent_eps=spec.latent_eps,
            **temperature,
        )

        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            pages = None if pool is None else pool.layers[layer]
            return _native.latent_attention(self._engine, x, native, step.native, pages, layer)

        return attend

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        native = _native.ShortConvLayer(
            input=weights.input.handle,
            output=weights.output.handle,
            convolution=weights.convolution,
            norm=weights.norm,
            input_bias=weights.input_bias,
            convolution_bias=weights.convolution_bias,
            output_bias=weights.output_bias,
            taps=spec.taps,
            norm_eps=spec.norm_eps,
        )
        return lambda x, step, pool: _native.short_conv(
            self._engine, x, native, step.native, _pages(pool, layer), layer
        )

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        least, most = spec.step_limits
        native = _native.Mamba2Layer(
            input=weights.input.handle,
            output=weights.output.handle,
            convolution=weights.convolution,
            decay=weights.decay,
            skip=weights.skip,
            step_bias=weights.step_bias,
            norm=weights.norm,
            gate_norm=weights.gate_norm,
            input_bias=weights.input_bias,
            convolution_bias=weights.convolution_bias,
            output_bias=weights.output_bias,
            heads=spec.heads,
            head_dim=spec.head_dim,
            groups=spec.groups,
            state_size=spec.state_size,
            taps=spec.taps,
            gate_eps=spec.gate_eps,
            gate_scale=spec.gate_scale,
            output_scale=spec.output_scale,
            least_step=least,
            most_step=most,
            norm_eps=spec.norm_eps,
            kept=beside is not None,
        )

        def run(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            rows = x if beside is None else beside(_native.keep(self._engine, x), step, pool)
            return _native.mamba2(self._engine, rows, native, step.native, _pages(pool, layer), layer)

        return run

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        native = _native.GatedDeltaNetLayer(
            query_key_value=weights.query_key_value.handle,
            gate=weights.gate.handle,
            alpha=weights.alpha.handle,
            beta=weights.beta.handle,
            output=weights.output.handle,
            convolution=weights.convolution,
            decay=weights.decay,
            alpha_bias=weights.alpha_bias,
            head_norm=weights.head_norm,
            norm=weights.norm,
            key_heads=spec.key_heads,
            value_heads=spec.value_heads,
            key_dim=spec.key_dim,
            value_dim=spec.value_dim,
            taps=spec.taps,
            tiled=spec.tiled,
            norm_eps=spec.norm_eps,
        )
        return lambda x, step, pool: _native.gated_delta_net(
            self._engine, x, native, step.native, _pages(pool, layer), layer
        )

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
        native = _native.MlpLayer(
            up=weights.up.handle,
            down=weights.down.handle,
            gate=None if weights.gate is None else weights.gate.handle,
            norm=weights.norm,
            norm_bias=weights.norm_bias,
            centred=spec.norm is NormKind.LAYER,
            post_norm=weights.post_norm,
            up_bias=weights.up_bias,
            gate_bias=weights.gate_bias,
            down_bias=weights.down_bias,
            output_scale=weights.output_scale,
            activation=spec.activation.value,
            norm_eps=spec.norm_eps,
            kept=kept,
            layer=-1 if layer is None else layer,
        )

        def run(x: mx.array, step: Step | None = None) -> mx.array:
            return _native.mlp(self._engine, x, native, None if step is None else step.native)

        return run

    def low_rank(self, part: LowRank) -> _native.LowRank:
        return _native.LowRank(np.ascontiguousarray(part.down), np.ascontiguousarray(part.up), part.scaling)

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
        shared = weights.shared
        native = _native.ExpertsLayer(
            router=weights.router.handle,
            up=weights.up.handle,
            down=weights.down.handle,
            gate=None if weights.gate is None else weights.gate.handle,
            latent_down=None if weights.latent_down is None else weights.latent_down.handle,
            latent_up=None if weights.latent_up is None else weights.latent_up.handle,
            shared_gate=None if shared is None or shared.gate is None else shared.gate.handle,
            shared_up=None if shared is None else shared.up.handle,
            shared_down=None if shared is None else shared.down.handle,
            shared_router=None if weights.shared_router is None else weights.shared_router.handle,
            norm=weights.norm,
            norm_bias=weights.norm_bias,
            centred=spec.norm is NormKind.LAYER,
            router_bias=weights.router_bias,
            choice_bias=weights.choice_bias,
            gate_bias=weights.gate_bias,
            up_bias=weights.up_bias,
            down_bias=weights.down_bias,
            router_norm=weights.router_norm,
            shared_norm=None if shared is None else shared.norm,
            expert_scale=weights.expert_scale,
            shared_post_norm=None if shared is None else shared.post_norm,
            mixture_post_norm=weights.mixture_post_norm,
            post_norm=weights.post_norm,
            output_scale=weights.output_scale,
            experts=spec.experts,
            used=spec.used,
            sigmoid=spec.sigmoid,
            normalized=spec.normalized,
            scale=spec.scale,
            groups=spec.groups,
            used_groups=spec.used_groups,
            group_best=spec.group_best,
            weighs_inputs=spec.weighs_inputs,
            activation=spec.activation.value,
            norm_eps=spec.norm_eps,
            kept=kept,
        )
        return lambda x, step=None: _native.experts(self._engine, x, native)

    def per_layer_embedding(
        self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec
    ) -> PerLayerEmbeddingOperation:
        native = _native.PerLayerEmbedding(
            table=weights.table.handle,
            projection=weights.projection.handle,
            norm=weights.norm * spec.scale,
            # As if what is normed were scaled first.
            norm_eps=spec.norm_eps / spec.projection_scale**2,
            table_scale=spec.table_scale * spec.scale,
        )
        return lambda tokens, x: (_native.per_layer_embedding(self._engine, x, tokens, native), None)

    def per_layer_input(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int
    ) -> PerLayerInputOperation:
        """The inputs lie in the engine's memory: ``x`` must be computed from what their operation returned."""
        native = _native.PerLayerInput(
            gate=weights.gate.handle,
            output=weights.output.handle,
            post_norm=weights.post_norm,
            output_scale=weights.output_scale,
            activation=spec.activation.value,
            norm_eps=spec.norm_eps,
            layer=layer,
        )
        return lambda x, inputs: _native.per_layer_input(self._engine, x, native)

    def alternating(self, weights: AlternatingWeights, spec: AlternatingSpec) -> Alternating:
        return Alternating(self, weights, spec)

    def alternating_layer(
        self,
        weights: AlternatingLayerWeights,
        spec: AlternatingSpec,
        halves: tuple[MixerOperation, FeedForwardOperation],
        number: int,
    ) -> AlternatingLayer:
        return AlternatingLayer(self, weights, spec, halves, number)

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
            self._sampling = (batch, _sampling_rows(batch))
        return SampledRows(*_native.sample(self._engine, logits, self._sampling[1]))

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        return SampledRows(*_native.token_logprobs(self._engine, logits, tokens, alternatives))

    def copy_pages(self, pool: Pool, group: int, pairs: Sequence[tuple[int, int]]) -> None:
        native = _native_pool(pool)
        for source, target in pairs:
            native.copy_page(group, source, target)

    def barrier(self, pool: Pool) -> list[mx.array]:
        return list(_native.barrier(self._engine, _native_pool(pool)))

    def _rope(self, rope: Rope) -> _native.Rope:
        """Returns one native object for all layers of a rope, since a step makes a table of angles for each object."""
        if rope not in self._ropes:
            neighbours = rope.style is RopeStyle.NORMAL
            self._ropes[rope] = _native.Rope(neighbours, list(rope.inverse_frequencies), rope.magnitude)
        return self._ropes[rope]


@dataclass(frozen=True, slots=True)
class Step:
    """The native backend's ``DeviceBatch``."""

    batch: Batch
    native: _native.Batch

    @property
    def positions(self) -> mx.array:
        return mx.array(self.batch.positions)

    @property
    def segments(self) -> mx.array | None:
        return None if self.batch.segments is None else mx.array(self.batch.segments)


def _pages(pool: Pool | None, layer: int) -> _native.Pool | None:
    return None if pool is None else pool.layers[layer]


def _native_pool(pool: Pool) -> _native.Pool:
    """The one object that holds the pages of all layers."""
    native: _native.Pool = next(iter(pool.layers.values()))
    return native


def _group_bytes(part: GroupSpec) -> int:
    layers, shape = len(part.group.layers), _shape(part)
    match part.group.kind:
        case CacheKind.STATE:
            return _native.states_bytes(layers=layers, **shape)
        case CacheKind.LATENT:
            return _native.latents_bytes(layers=layers, **shape)
        case CacheKind.FULL | CacheKind.WINDOW:
            return _native.keys_and_values_bytes(layers=layers, **shape)


def _shape(part: GroupSpec) -> dict[str, int]:
    group = part.group
    if group.state_size is not None:
        return {"pages": part.pages, "numbers": group.state_size}
    if group.kind is CacheKind.LATENT:
        return {"pages": part.pages, "page_size": part.page_size, "numbers": group.kv_heads * group.head_dim}
    return {
        "pages": part.pages,
        "page_size": part.page_size,
        "kv_heads": group.kv_heads,
        "head_dim": group.head_dim,
    }


def _sampling_rows(batch: SamplingBatch) -> _native.SamplingRows:
    return _native.SamplingRows(
        temperature=batch.temperature,
        top_k=batch.top_k,
        top_p=batch.top_p,
        min_p=batch.min_p,
        typical_p=batch.typical_p,
        repetition=batch.repetition_penalty,
        presence=batch.presence_penalty,
        frequency=batch.frequency_penalty,
        uniform=batch.uniform,
        history=batch.history,
        generated=batch.generated,
        bias_rows=batch.bias_rows,
        bias_tokens=batch.bias_tokens,
        bias_values=batch.bias_values,
        forbidden=None if batch.validator is None else batch.validator.forbidden,
        logprobs=batch.logprobs,
    )


def _extras(tensor: Tensor) -> dict[str, Any]:
    """Arguments of ``_native.Engine.pack`` for what a type keeps beside its blocks."""
    extras = tensor.extras
    if tensor.type is TensorType.FP8_E4M3 and "scale" in extras:
        scale = np.ascontiguousarray(extras["scale"], np.float32)
        block = extras.get("block")
        rows, columns = (0, 0) if block is None else (int(n) for n in block)
        return {"scale": scale.reshape(-1), "scale_rows": rows, "scale_cols": columns}
    if tensor.type is TensorType.NVFP4 and "scale" in extras:
        scale = np.ascontiguousarray(extras["scale"], np.float32)
        return {"scale": scale.reshape(-1), "scale_rows": extras["scale"].ndim}
    if tensor.type is TensorType.NF4:
        return {
            "absmax": np.ascontiguousarray(block_scales(extras)),
            "absmax_block": int(extras["block"]),
            "map": np.ascontiguousarray(extras["map"], np.float32),
        }
    return {}


def _float8(tensor: Tensor) -> Tensor:
    """MXFP8 as FP8 with a scale for each 32 values of a row."""
    codes, exponents = fp4.mxfp8_parts(tensor.data)
    extras: dict[str, NDArray[np.generic]] = {"scale": fp4.powers(exponents), "block": np.array([1, fp4.MX_GROUP])}
    return Tensor(tensor.name, TensorType.FP8_E4M3, tensor.shape, codes, extras)

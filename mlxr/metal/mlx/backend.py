"""The backend for Macs' and NVIDIA's GPUs: MLX's own kernels over weights that stay quantized (``weights.py``).

Residuals are float32, everything between 16-bit floats; keys and values too. Each row is computed from its own numbers,
but by kernels that MLX chooses by shape: a row's result may differ in the last of 16 bits with its company.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any
from weakref import WeakSet

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import LowRank, Place
from mlxr.metal.batch import Batch
from mlxr.metal.mlx import (
    device,
    gated_delta_net,
    own_sampling,
    pool_layers,
    recurrence,
    recurrence_steps,
    row_operations,
)
from mlxr.metal.mlx.attention import Attention
from mlxr.metal.mlx.dense_layers import JoinedLayers
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import Elementwise
from mlxr.metal.mlx.experts import Experts
from mlxr.metal.mlx.feed_forward import FeedForward
from mlxr.metal.mlx.grid_memory import grid_memory
from mlxr.metal.mlx.halves import Half, dense_of
from mlxr.metal.mlx.latent import LatentAttention
from mlxr.metal.mlx.matrix_forms import BLOCKS_AS_THEY_ARE, HALF, KINDS, Held, Kind, UsableKinds
from mlxr.metal.mlx.per_layer import PerLayerEmbedding, PerLayerInput
from mlxr.metal.mlx.pool_layers import PoolAccess
from mlxr.metal.mlx.products import Projections
from mlxr.metal.mlx.run_ahead import RunAhead
from mlxr.metal.mlx.sizes import ROUNDED_BLOCKS, MlxSizes
from mlxr.metal.mlx.steps import Step, can_be_padded, padded
from mlxr.metal.mlx.type_descriptions import HELD_AS
from mlxr.metal.mlx.weights import take_over
from mlxr.metal.operations import (
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
from mlxr.metal.plain_recurrence import Advance, PlainRecurrence
from mlxr.metal.pool import (
    DeviceMemory,
    FilePools,
    Pool,
    PoolSpec,
)
from mlxr.metal.reference import adapters, sampling
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


class MlxBackend:
    """Implements ``mlxr.metal.backend.Backend``. A weight's handle is a ``weights.Held``.

    ``ways``: how to compute; as is best on the device, if not given. ``usable``: the kinds of codes that are
    multiplied as they are; others become 16-bit floats.
    """

    name = "mlx"
    lazy_pages = False
    file_pools: FilePools | None = None

    @property
    def arithmetic(self) -> str:
        return device.described()

    def __init__(self, ways: Ways | None = None, usable: Container[Kind] = KINDS) -> None:
        device.prepare()
        self._ways = ways or device.WAYS[device.kind()]
        self._usable = UsableKinds(usable, self._ways.modes)
        modes = tuple(mode for mode in self._ways.modes if mode != BLOCKS_AS_THEY_ARE)
        self._looked_up = UsableKinds(usable, modes)  # no kernel looks rows up in blocks
        self.step_tokens = self._ways.step_tokens
        self.first_steps: Sequence[tuple[int, int]] = self._ways.first_steps
        # Asked when there are weights of the kind: looking whether one is usable may take half a minute.
        self.sizes: BackendSizes = MlxSizes(self._usable, self._usable)
        self._elementwise = Elementwise(self._ways.fused)
        self._kept = PoolAccess(device.kind(), self._ways.in_place)
        self._run_ahead = RunAhead(self._ways.dense_rows)
        self._mixtures: WeakSet[Experts] = WeakSet()

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        if len(tensor.shape) != 2:
            raise ValueError(f"{tensor.name} has the shape {tensor.shape} and is no matrix")
        return self._weight(tensor, self._usable)

    def _weight(self, tensor: Tensor, usable: Container[Kind]) -> Weight:
        matrix = take_over(tensor, usable)
        return Weight((tensor.shape[0], tensor.shape[1]), Held(matrix), matrix.nbytes)

    def held_as(self, tensor: Tensor) -> str:
        as_it_is = tensor.type in ROUNDED_BLOCKS and BLOCKS_AS_THEY_ARE in self._usable
        return "its file's own blocks, exact" if as_it_is else HELD_AS[tensor.type]

    def table(self, tensor: Tensor) -> Weight:
        return self._weight(tensor, self._looked_up)

    def vector(self, tensor: Tensor) -> mx.array:
        return mx.array(dequantize(tensor).reshape(-1))

    def share_cpus(self, shared: bool) -> None:
        """MLX has its own threads."""

    def forget_steps(self) -> None:
        self._run_ahead.clear()
        for mixture in self._mixtures:
            mixture.clear()
        if self._ways.joins_layers:
            grid_memory().forget()

    def pool(self, spec: PoolSpec) -> Pool:
        layers = self._kept.layers(spec)
        mx.eval([[*layer.arrays, *layer.awaited] for layer in layers.values()])
        return Pool(spec, dict(layers), self.sizes.pool(spec))

    def memory(self) -> DeviceMemory | None:
        return device.memory()

    def compiled(self, layers: Layers) -> Forward:
        """Computes a step of few tokens with as many as MLX's kernels are fastest with."""

        def run(tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
            count, least = batch.tokens, self._ways.least_rows
            if pool is None or not 1 < count < least or not can_be_padded(batch):
                return layers(tokens, self.on_device(batch), pool)
            more = mx.broadcast_to(tokens[-1:], (least - count,))
            return layers(mx.concatenate([tokens, more]), self.on_device(padded(batch, least)), pool)[:count]

        return run

    def on_device(self, batch: Batch) -> Step:
        return Step(batch)

    def embedding(self, table: Weight, scale: float = 1.0) -> EmbeddingOperation:
        return row_operations.embedding(table, scale, self._ways)

    def linear(self, weight: Weight, bias: mx.array | None = None) -> RowOperation:
        return row_operations.linear(weight, bias, self._ways)

    def rms_norm(self, weight: mx.array, eps: float) -> RowOperation:
        return lambda x: mx.fast.rms_norm(x, weight, eps)

    def layer_norm(self, weight: mx.array, bias: mx.array | None, eps: float) -> RowOperation:
        return lambda x: mx.fast.layer_norm(x, weight, bias, eps)

    def attention(self, weights: AttentionWeights, spec: AttentionSpec, layer: int) -> MixerOperation:
        return Attention(weights, spec, layer, self._ways, self._elementwise, self._kept.pages)

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        return LatentAttention(weights, spec, layer, self._ways, self._elementwise, self._kept.latents)

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        project = recurrence.projected(weights, self._ways)
        return self._recurrence(weights, spec, project, recurrence.short_conv(weights, spec), layer)

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        project = recurrence.projected(weights, self._ways)
        advance = recurrence.mamba2(weights, spec, self._ways)
        few = recurrence_steps.mamba2(weights, spec, self._ways)
        return self._recurrence(weights, spec, project, advance, layer, beside, few)

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        project = gated_delta_net.projected(weights, self._ways)
        advance = gated_delta_net.gated_delta_net(weights, spec, self._ways)
        few = recurrence_steps.gated_delta_net(weights, spec, self._ways, project)
        return self._recurrence(weights, spec, project, advance, layer, few=few)

    def plain_recurrence(self, half: PlainRecurrence, layer: int) -> MixerOperation:
        shared = self._ways, self._elementwise, self._kept.states
        return recurrence.Recurrence(half, half.project, half.norm_eps, half.advance, layer, half.size, *shared)

    def feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> FeedForwardOperation:
        if isinstance(spec, MLPSpec) and isinstance(weights, MLPWeights) and spec.sparsity is not None:
            return SparseMLP(self.linear, weights, spec)
        return self._feed_forward(weights, spec, layer)

    def parallel(
        self, mix: MixerOperation, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> MixerOperation:
        feed_forward = self._feed_forward(weights, spec, layer)
        return lambda x, step, pool: feed_forward(x, step, mix(x, step, pool))

    def _feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None
    ) -> Callable[..., mx.array]:
        """Takes rows, the step, and what its result is added to where that is not the rows."""
        prepared: FeedForward | Experts
        if isinstance(weights, ExpertsWeights):
            assert isinstance(spec, ExpertsSpec)
            prepared = Experts(weights, spec, self._ways, self._elementwise)
            self._mixtures.add(prepared)
        else:
            assert isinstance(spec, MLPSpec)
            prepared = FeedForward(weights, spec, self._ways, self._elementwise, layer)

        return Half(prepared, self._run_ahead)

    def joined(self, layers: Sequence[PlainLayer]) -> LayersOperation | None:
        # Two grids whose blocks wait for each other could have half of their places each.
        if not self._ways.joins_layers or device.shares_processors():
            return None
        dense = [dense_of(mix, half, self._ways) for mix, half in layers]
        if not any(dense):
            return None
        return JoinedLayers(layers, dense, self._ways.joined_rows, grid_memory(), self._run_ahead)

    def low_rank(self, part: LowRank) -> Any:
        return adapters.low_rank(part, HALF)

    def adapter(self, parts: Mapping[Place, Any]) -> Any:
        return dict(parts)

    def per_layer_embedding(
        self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec
    ) -> PerLayerEmbeddingOperation:
        return PerLayerEmbedding(weights, spec, self._ways)

    def per_layer_input(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int
    ) -> PerLayerInputOperation:
        return PerLayerInput(weights, spec, layer, self._ways, self._elementwise)

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
        return row_operations.head(matrix, norm, norm_eps, softcap, kind, norm_bias, bias, self._ways)

    def sample(self, logits: mx.array, batch: SamplingBatch) -> SampledRows:
        drawn = own_sampling.drawn if self._ways.sampling else None
        return sampling.sample(logits, batch, drawn, own_sampling.best if self._ways.tables else None)

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        return sampling.token_logprobs(logits, tokens, alternatives)

    def _recurrence(
        self,
        weights: ShortConvWeights | Mamba2Weights | GatedDeltaNetWeights,
        spec: ShortConvSpec | Mamba2Spec | GatedDeltaNetSpec,
        project: RowOperation | Projections,
        advance: Advance,
        layer: int,
        beside: MixerOperation | None = None,
        few: recurrence_steps.StateStep | None = None,
    ) -> recurrence.Recurrence:
        size = spec.cache(layer).state_size or 0
        shared = self._ways, self._elementwise, self._kept.states
        return recurrence.Recurrence(weights, project, spec.norm_eps, advance, layer, size, *shared, beside, few)

    def copy_pages(self, pool: Pool, group: int, pairs: Sequence[tuple[int, int]]) -> None:
        self._kept.copy(pool, group, pairs)

    def page_bytes(self, pool: Pool, group: int) -> int:
        return pool_layers.page_bytes(pool, group)

    def read_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        pool_layers.read(pool, group, pages, content)

    def write_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        self._kept.write(pool, group, pages, content)
        mx.eval(self.barrier(pool))

    def touch_pages(self, pool: Pool, group: int, pages: Sequence[int], goes_on: Callable[[], bool]) -> None:
        """They have their memory."""

    def resize(self, pool: Pool, pages: Sequence[int]) -> None:
        mx.eval(self.barrier(pool))
        pool_layers.resize(pool, pages)
        pool.nbytes = self.sizes.pool(pool.spec)
        # What the arrays had before would lie about until arrays of just that size were wanted.
        mx.clear_cache()

    def barrier(self, pool: Pool) -> list[mx.array]:
        return [array for layer in pool.layers.values() for array in layer.awaited]

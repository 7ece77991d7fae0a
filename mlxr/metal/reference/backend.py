"""The reference backend: every operation in plain MLX, float32 throughout. Fidelity comes before memory and speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import LowRank, Place
from mlxr.metal.batch import Batch
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
from mlxr.metal.pool import FilePools, Pool, PoolSpec
from mlxr.metal.reference import (
    adapters,
    pages,
    per_layer,
    products,
    sampling,
)
from mlxr.metal.reference.attention_half import attention_half
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.reference.feed_forward import experts_half, perceptron_half
from mlxr.metal.reference.latent import latent_attention
from mlxr.metal.reference.recurrent_halves import gated_delta_net_half, mamba2_half, plain_half, short_conv_half
from mlxr.metal.reference.rows import gated, linear, norm_rows, scaled
from mlxr.metal.reference.sizes import ReferenceSizes
from mlxr.metal.reference.sparse_mlp import SparseMLP
from mlxr.metal.reference.step import Step
from mlxr.metal.resizing import resized
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
from mlxr.metal.tensor_rows import rows_of
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import (
    AttentionWeights,
    ExpertsWeights,
    FeedForwardWeights,
    GatedDeltaNetWeights,
    LatentWeights,
    Mamba2Weights,
    PerLayerEmbeddingWeights,
    PerLayerInputWeights,
    ShortConvWeights,
    Weight,
)


class ReferenceBackend:
    """Implements ``mlxr.metal.backend.Backend``.

    A weight's handle is its matrix in float32. A layer of the pool is a tuple of arrays: keys and values, or latents,
    as ``reference/pages.py`` has them; or states, float32 ``[pages, state_size]``.
    """

    name = "reference"
    arithmetic = ""
    step_tokens = 512
    lazy_pages = False
    file_pools: FilePools | None = None
    first_steps: Sequence[tuple[int, int]] = ()
    sizes: BackendSizes = ReferenceSizes()

    def weight(self, tensor: Tensor, encoder: bool = False) -> Weight:
        if len(tensor.shape) != 2:
            raise ValueError(f"{tensor.name} has the shape {tensor.shape} and is no matrix")
        handle = mx.array(dequantize(tensor))
        return Weight((tensor.shape[0], tensor.shape[1]), handle, handle.nbytes)

    def held_as(self, tensor: Tensor) -> str:
        return ""

    def table(self, tensor: Tensor) -> Weight:
        rows_of(tensor, 0, min(1, tensor.shape[0]))
        return Weight((tensor.shape[0], tensor.shape[1]), tensor, tensor.nbytes)

    def vector(self, tensor: Tensor) -> mx.array:
        return mx.array(dequantize(tensor).reshape(-1))

    def share_cpus(self, shared: bool) -> None:
        """MLX has its own threads."""

    def forget_steps(self) -> None:
        """They leave nothing."""

    def pool(self, spec: PoolSpec) -> Pool:
        layers = {layer: pages.empty_layer(part) for layer, _, part in spec.layers()}
        mx.eval(layers)
        return Pool(spec, dict(layers), self.sizes.pool(spec))

    def memory(self) -> None:
        return None

    def joined(self, layers: Sequence[object]) -> None:
        """One after another is best."""

    def compiled(self, layers: Layers) -> Forward:
        return lambda tokens, batch, pool: layers(tokens, self.on_device(batch), pool)

    def on_device(self, batch: Batch) -> Step:
        return Step(batch)

    def embedding(self, table: Weight, scale: float = 1.0) -> EmbeddingOperation:
        def embed(tokens: mx.array) -> mx.array:
            # MLX does not check an index: one beyond the table would read whatever lies behind it.
            known = (tokens >= 0) & (tokens < table.shape[0])
            at = mx.where(known, tokens, 0)
            stored = table.handle.tensor if isinstance(table.handle, products.Watched) else table.handle
            found = per_layer.rows(stored, at) if isinstance(stored, Tensor) else stored[at]
            rows: mx.array = mx.where(known[:, None], found, 0.0)
            return rows if scale == 1.0 else rows * scale

        return embed

    def linear(self, weight: Weight, bias: mx.array | None = None) -> RowOperation:
        return partial(linear, weight=weight, bias=bias)

    def rms_norm(self, weight: mx.array, eps: float) -> RowOperation:
        return lambda x: mx.fast.rms_norm(x, weight, eps)

    def layer_norm(self, weight: mx.array, bias: mx.array | None, eps: float) -> RowOperation:
        return lambda x: mx.fast.layer_norm(x, weight, bias, eps)

    def attention(self, weights: AttentionWeights, spec: AttentionSpec, layer: int) -> MixerOperation:
        return partial(attention_half, weights, spec, layer)

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            return latent_attention(weights, spec, layer, x, step.batch, pool)

        return attend

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        return partial(short_conv_half, weights, spec, layer)

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        return partial(mamba2_half, weights, spec, layer, beside)

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        return partial(gated_delta_net_half, weights, spec, layer)

    def plain_recurrence(self, half: PlainRecurrence, layer: int) -> MixerOperation:
        return partial(plain_half, half, layer)

    def feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> FeedForwardOperation:
        if isinstance(weights, ExpertsWeights):
            assert isinstance(spec, ExpertsSpec)
            return partial(experts_half, weights, spec)
        assert isinstance(spec, MLPSpec)
        if spec.sparsity is not None:
            return SparseMLP(self.linear, weights, spec)
        return partial(perceptron_half, weights, spec, layer)

    def low_rank(self, part: LowRank) -> Any:
        return adapters.low_rank(part)

    def adapter(self, parts: Mapping[Place, Any]) -> Any:
        return dict(parts)

    def per_layer_embedding(
        self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec
    ) -> PerLayerEmbeddingOperation:
        return lambda tokens, x: (x, per_layer.layer_inputs(weights, spec, tokens, x))

    def per_layer_input(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int
    ) -> PerLayerInputOperation:
        def add(x: mx.array, inputs: mx.array) -> mx.array:
            hidden = gated(linear(x, weights.gate, None), inputs[:, layer], spec.activation)
            out = mx.fast.rms_norm(linear(hidden, weights.output, None), weights.post_norm, spec.norm_eps)
            return scaled(x + out, weights.output_scale)

        return add

    def parallel(
        self, mix: MixerOperation, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> MixerOperation:
        feed_forward = self.feed_forward(weights, spec, layer)
        return lambda x, step, pool: mix(x, step, pool) + (feed_forward(x, step) - x)

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
        def logits(x: mx.array, rows: mx.array) -> mx.array:
            out = linear(norm_rows(x[rows], norm, norm_eps, kind, norm_bias), matrix, bias)
            return softcap * mx.tanh(out / softcap) if softcap else out

        return logits

    def sample(self, logits: mx.array, batch: SamplingBatch) -> SampledRows:
        return sampling.sample(logits, batch)

    def token_logprobs(self, logits: mx.array, tokens: mx.array, alternatives: int) -> SampledRows:
        return sampling.token_logprobs(logits, tokens, alternatives)

    def copy_pages(self, pool: Pool, group: int, pairs: Sequence[tuple[int, int]]) -> None:
        origin: dict[int, int] = {}
        for source, target in pairs:  # one after the other: a page copied to may be copied from
            origin[target] = origin.get(source, source)
        if not origin:
            return
        targets, sources = mx.array(list(origin)), mx.array(list(origin.values()))
        for layer in pool.spec.groups[group].group.layers:
            for array in pool.layers[layer]:
                array[targets] = array[sources]

    def page_bytes(self, pool: Pool, group: int) -> int:
        return sum(array[0].nbytes for array in self._arrays(pool, group))

    def read_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        at, index = 0, mx.array(list(pages))
        for array in self._arrays(pool, group):
            part = np.array(array[index]).view(np.uint8).reshape(len(pages), -1)
            content[:, at : at + part.shape[1]] = part
            at += part.shape[1]

    def write_pages(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        at, index = 0, mx.array(list(pages))
        for array in self._arrays(pool, group):
            part = mx.array(np.ascontiguousarray(content[:, at : at + array[0].nbytes])).view(array.dtype)
            array[index] = part.reshape(len(pages), *array.shape[1:])
            at += array[0].nbytes

    def _arrays(self, pool: Pool, group: int) -> list[mx.array]:
        """All that the group keeps, ``[pages, ...]`` each."""
        return [array for layer in pool.spec.groups[group].group.layers for array in pool.layers[layer]]

    def touch_pages(self, pool: Pool, group: int, pages: Sequence[int], goes_on: Callable[[], bool]) -> None:
        """They have their memory."""

    def resize(self, pool: Pool, pages: Sequence[int]) -> None:
        spec = pool.spec.sized(pages)
        for layer, _, part in spec.layers():
            pool.layers[layer] = tuple(resized(array, part.pages) for array in pool.layers[layer])
        pool.spec, pool.nbytes = spec, self.sizes.pool(spec)

    def barrier(self, pool: Pool) -> list[mx.array]:
        return [array for layer in pool.layers.values() for array in layer]

"""The reference backend: every operation in plain MLX, float32 throughout. Fidelity comes before memory and speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import LowRank, Place
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
from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference import (
    adapters,
    experts,
    gated_delta_net,
    pages,
    per_layer,
    products,
    recurrence,
    sampling,
    states,
)
from mlxr.metal.reference.attention import encoder_attention, gated_heads, paged_attention, temperatures
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.reference.latent import latent_attention
from mlxr.metal.reference.rope import angles, rotate
from mlxr.metal.reference.sizes import ReferenceSizes
from mlxr.metal.reference.sparse_mlp import SparseMLP
from mlxr.metal.resizing import resized
from mlxr.metal.sampling import SampledRows, SamplingBatch
from mlxr.metal.sizes import BackendSizes
from mlxr.metal.specs import (
    Activation,
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
    MLPWeights,
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

    def forget_steps(self) -> None:
        """They leave nothing."""

    def pool(self, spec: PoolSpec) -> Pool:
        layers = {layer: pages.empty_layer(part) for layer, _, part in spec.layers()}
        mx.eval(layers)
        return Pool(spec, dict(layers), self.sizes.pool(spec))

    def memory(self) -> None:
        return None

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
        return partial(_linear, weight=weight, bias=bias)

    def rms_norm(self, weight: mx.array, eps: float) -> RowOperation:
        return lambda x: mx.fast.rms_norm(x, weight, eps)

    def layer_norm(self, weight: mx.array, bias: mx.array | None, eps: float) -> RowOperation:
        return lambda x: mx.fast.layer_norm(x, weight, bias, eps)

    def attention(self, weights: AttentionWeights, spec: AttentionSpec, layer: int) -> MixerOperation:
        return partial(_attention, weights, spec, layer)

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            return latent_attention(weights, spec, layer, x, step.batch, pool)

        return attend

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        return partial(_short_conv, weights, spec, layer)

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        return partial(_mamba2, weights, spec, layer, beside)

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        def mix(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            if not step.batch.tokens:
                return x
            normed = _normed(x, weights.norm, spec.norm_eps)
            out = gated_delta_net.mixed(weights, spec, layer, normed, step.batch, pool)
            return x + _linear(out, weights.output, None)

        return mix

    def plain_recurrence(self, half: PlainRecurrence, layer: int) -> MixerOperation:
        def mix(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            if not step.batch.tokens:
                return x
            rows, outs = half.project(_normed(x, half.norm, half.norm_eps)), []
            for one in states.sequence_states(step.batch, pool, layer, half.size):
                out, after = half.advance(rows[one.begin : one.end][None], one.state[None])
                outs.append(out[0])
                one.state = after[0]
            return x + _linear(mx.concatenate(outs), half.output, half.output_bias)

        return mix

    def feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> FeedForwardOperation:
        if isinstance(weights, ExpertsWeights):
            assert isinstance(spec, ExpertsSpec)
            return partial(_experts, weights, spec)
        assert isinstance(spec, MLPSpec)
        if spec.sparsity is not None:
            return SparseMLP(self, weights, spec)
        return partial(_feed_forward, weights, spec, layer)

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
            hidden = gated(_linear(x, weights.gate, None), inputs[:, layer], spec.activation)
            out = mx.fast.rms_norm(_linear(hidden, weights.output, None), weights.post_norm, spec.norm_eps)
            return _scaled(x + out, weights.output_scale)

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
            out = _linear(_normed(x[rows], norm, norm_eps, kind, norm_bias), matrix, bias)
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


@dataclass(frozen=True, slots=True)
class Step:
    """The reference's ``DeviceBatch``: the layout itself, from which each layer makes what it needs."""

    batch: Batch
    adapters: adapters.StepAdapters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adapters", adapters.StepAdapters(self.batch))

    @property
    def positions(self) -> mx.array:
        return mx.array(self.batch.positions)

    @property
    def segments(self) -> mx.array | None:
        return None if self.batch.segments is None else mx.array(self.batch.segments)


def _linear(x: mx.array, weight: Weight, bias: mx.array | None) -> mx.array:
    out = products.multiplied(x, weight)
    return out if bias is None else out + bias


def _normed(
    x: mx.array,
    weight: mx.array | None,
    eps: float,
    kind: NormKind = NormKind.RMS,
    bias: mx.array | None = None,
) -> mx.array:
    if weight is None:
        return x
    return mx.fast.layer_norm(x, weight, bias, eps) if kind is NormKind.LAYER else mx.fast.rms_norm(x, weight, eps)


def _attention(
    weights: AttentionWeights, spec: AttentionSpec, layer: int, x: mx.array, step: Step, pool: Pool | None
) -> mx.array:
    batch = step.batch
    if not batch.tokens:
        return x
    normed = _normed(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias)
    queries = _projected(normed, weights.query, weights.query_bias, spec, layer, "query", step)
    queries = _shaped(queries, weights.query_norm, spec, batch)
    if spec.temperature is not None:
        queries = queries * temperatures(spec.temperature, batch.positions)[:, None, None]
    if pool is None or not spec.causal:
        if weights.key is None:
            raise ValueError("a layer that reads another's keys and values needs a pool that has them")
        keys, values = _keys_and_values(normed, weights, weights.key, spec, layer, step)
        out = encoder_attention(queries, keys, values, spec, batch, weights.sinks)
    else:
        kept = layer if spec.kv_layer is None else spec.kv_layer
        tables = batch.groups[pool.group_of[kept]]
        if weights.key is not None:
            pages.write(pool, kept, tables, *_keys_and_values(normed, weights, weights.key, spec, layer, step))
        all_keys, all_values = pages.kept(pool, kept)
        out = paged_attention(
            queries, all_keys, all_values, spec, batch, tables, weights.sinks, products.beside(weights.output)
        )
    if weights.gate is not None:
        out = gated_heads(out, _linear(normed, weights.gate, None), spec)
    out = step.adapters.added(_linear(out, weights.output, weights.output_bias), out, layer, "output")
    return x + _normed(out, weights.post_norm, spec.norm_eps)


def _short_conv(
    weights: ShortConvWeights, spec: ShortConvSpec, layer: int, x: mx.array, step: Step, pool: Pool | None
) -> mx.array:
    if not step.batch.tokens:
        return x
    inputs = _linear(_normed(x, weights.norm, spec.norm_eps), weights.input, weights.input_bias)
    out = recurrence.short_conv(inputs, weights, spec, layer, step.batch, pool)
    return x + _normed(_linear(out, weights.output, weights.output_bias), weights.post_norm, spec.norm_eps)


def _mamba2(
    weights: Mamba2Weights,
    spec: Mamba2Spec,
    layer: int,
    beside: MixerOperation | None,
    x: mx.array,
    step: Step,
    pool: Pool | None,
) -> mx.array:
    if not step.batch.tokens:
        return x
    inputs = _linear(_normed(x, weights.norm, spec.norm_eps), weights.input, weights.input_bias)
    out = recurrence.mamba2(inputs, weights, spec, layer, step.batch, pool)
    return (x if beside is None else beside(x, step, pool)) + _linear(out, weights.output, weights.output_bias)


def _feed_forward(
    weights: MLPWeights, spec: MLPSpec, layer: int | None, x: mx.array, step: Step | None = None
) -> mx.array:
    own = adapters.NO_ADAPTERS if step is None else step.adapters
    out = _mlp(
        weights, spec.activation, _normed(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias), own, layer
    )
    return _scaled(x + _normed(out, weights.post_norm, spec.norm_eps), weights.output_scale)


def _scaled(x: mx.array, scale: mx.array | None) -> mx.array:
    return x if scale is None else x * scale


def _mlp(
    weights: MLPWeights,
    activation: Activation,
    normed: mx.array,
    own: adapters.StepAdapters = adapters.NO_ADAPTERS,
    layer: int | None = None,
) -> mx.array:
    def linear(x: mx.array, weight: Weight, bias: mx.array | None, role: str) -> mx.array:
        return own.added(_linear(x, weight, bias), x, layer, role)

    hidden = linear(normed, weights.up, weights.up_bias, "up")
    if weights.gate is None:
        hidden = _activated(hidden, activation)
    else:
        hidden = gated(linear(normed, weights.gate, weights.gate_bias, "gate"), hidden, activation)
    return linear(hidden, weights.down, weights.down_bias, "down")


def _experts(weights: ExpertsWeights, spec: ExpertsSpec, x: mx.array, step: Step | None = None) -> mx.array:
    if not x.shape[0]:
        return x
    normed = _normed(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias)
    routed = normed if weights.router_norm is None else _normed(x, weights.router_norm, spec.norm_eps)
    chosen, share = experts.choose(_linear(routed, weights.router, weights.router_bias), weights.choice_bias, spec)
    if weights.expert_scale is not None:
        share = share * weights.expert_scale[chosen]

    def multiply(rows: mx.array, weight: Weight, bias: mx.array | None) -> mx.array:
        """Rows ``[T, 1 or used, in]`` by the matrices of the experts that each token uses."""
        out = products.by_expert(rows, weight, chosen, spec.experts)
        return out if bias is None else out + bias.reshape(spec.experts, -1)[chosen]

    read = normed if weights.latent_down is None else _linear(normed, weights.latent_down, None)
    read = read[:, None]
    if spec.weighs_inputs:
        read, share = read * share[:, :, None], mx.ones_like(share)
    up = multiply(read, weights.up, weights.up_bias)
    if weights.gate is None:
        hidden = _activated(up, spec.activation)
    else:
        hidden = gated(multiply(read, weights.gate, weights.gate_bias), up, spec.activation)
    out = experts.mixed(multiply(hidden, weights.down, weights.down_bias), share)
    if weights.latent_up is not None:
        out = _linear(out, weights.latent_up, None)
    out = _normed(out, weights.mixture_post_norm, spec.norm_eps)
    if (shared := weights.shared) is not None:
        read = normed if shared.norm is None else _normed(x, shared.norm, spec.norm_eps)
        common = _mlp(shared, spec.activation, read)
        if weights.shared_router is not None:
            common = common * mx.sigmoid(_linear(read, weights.shared_router, None))
        out = out + _normed(common, shared.post_norm, spec.norm_eps)
    return _scaled(x + _normed(out, weights.post_norm, spec.norm_eps), weights.output_scale)


def _projected(
    normed: mx.array, weight: Weight, bias: mx.array | None, spec: AttentionSpec, layer: int, role: str, step: Step
) -> mx.array:
    """Queries, keys or values, ``[T, its heads, head_dim]``."""
    out = step.adapters.added(_linear(normed, weight, bias), normed, layer, role)
    return out.reshape(len(normed), -1, spec.head_dim)


def _keys_and_values(
    normed: mx.array, weights: AttentionWeights, key: Weight, spec: AttentionSpec, layer: int, step: Step
) -> tuple[mx.array, mx.array]:
    """Those of the step, each ``[T, kv_heads, head_dim]``, normed and turned."""
    keys = values = _projected(normed, key, weights.key_bias, spec, layer, "key", step)
    if weights.value is not None:
        values = _projected(normed, weights.value, weights.value_bias, spec, layer, "value", step)
    if spec.norm_values:
        values = mx.fast.rms_norm(values, None, spec.norm_eps)
    return _shaped(keys, weights.key_norm, spec, step.batch), values


def _shaped(heads: mx.array, norm: mx.array | None, spec: AttentionSpec, batch: Batch) -> mx.array:
    """``heads`` ``[T, heads, head_dim]`` normed, each by itself or all of a token together, and turned."""
    heads = _turned(heads, spec, batch) if spec.rope_first else heads
    if norm is not None:
        heads = _normed(heads.reshape(len(heads), -1, len(norm)), norm, spec.norm_eps).reshape(heads.shape)
    return heads if spec.rope_first else _turned(heads, spec, batch)


def _turned(heads: mx.array, spec: AttentionSpec, batch: Batch) -> mx.array:
    return heads if spec.rope is None else rotate(heads, spec.rope, *angles(spec.rope, batch.positions))


def _activated(x: mx.array, activation: Activation) -> mx.array:
    match activation:
        case Activation.SILU:
            return x * mx.sigmoid(x)
        case Activation.GELU_TANH:
            return 0.5 * x * (1 + mx.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
        case Activation.GELU:
            return 0.5 * x * (1 + mx.erf(x * 0.7071067811865476))
        case Activation.RELU_SQUARED:
            return mx.square(mx.maximum(x, 0.0))
        case Activation.SWIGLU_OAI:
            raise ValueError("swiglu_oai needs a gate")


def gated(gate: mx.array, up: mx.array, activation: Activation) -> mx.array:
    """``activation(gate) * up``."""
    if activation is Activation.SWIGLU_OAI:
        gate, up = mx.minimum(gate, 7.0), mx.clip(up, -7.0, 7.0)
        return gate * mx.sigmoid(1.702 * gate) * (up + 1)
    return _activated(gate, activation) * up

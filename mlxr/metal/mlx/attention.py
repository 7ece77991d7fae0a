"""The attention half of a layer: MLX's fast norms, RoPE and attention over keys and values gathered from the pool."""

from __future__ import annotations

import math

import mlx.core as mx

from mlxr.metal.gpu.affine_matmul import Layout
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import Elementwise
from mlxr.metal.mlx.few_row_matmul import FewRows, Norm
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.norms import normed
from mlxr.metal.mlx.paged_decode import PagedDecode
from mlxr.metal.mlx.paged_prefill import PagedPrefill
from mlxr.metal.mlx.pages import InPlacePages, Layer, Pages
from mlxr.metal.mlx.products import Projections, SplitProduct, same_layout
from mlxr.metal.mlx.step_attention import StepAttention
from mlxr.metal.mlx.steps import DeviceTables, Keys, Run, Step
from mlxr.metal.pool import Pool
from mlxr.metal.reference.attention import distance_penalties, gated_heads
from mlxr.metal.reference.rope import rotate
from mlxr.metal.specs import AttentionSpec, Gate, NormKind, Rope, RopeStyle
from mlxr.metal.weights import AttentionWeights

ROTATED_ROWS = 4096
"""Tokens that one call of ``mx.fast.rope`` turns: CUDA's grids end at 65,535."""


FEWEST_PAIRS = 16
"""With fewer, ``mx.fast.rope`` asks CUDA for blocks that are too deep."""


class Attention:
    """The attention of one layer, prepared. A layer of the pool is a ``pages.Layer``.

    ``of_steps``: the fused kernel for what lies between two products in a step of one token a sequence; None where
    there is none.
    """

    def __init__(
        self,
        weights: AttentionWeights,
        spec: AttentionSpec,
        layer: int,
        ways: Ways,
        elementwise: Elementwise,
        pages: Pages,
    ) -> None:
        self._spec, self.layer, self._ways, self._elementwise, self._pages = spec, layer, ways, elementwise, pages
        self._kept = layer if spec.kv_layer is None else spec.kv_layer
        self._norm, self._norm_bias, self._post_norm = weights.norm, weights.norm_bias, weights.post_norm
        own = [(weights.key, weights.key_bias), (weights.value, weights.value_bias)]
        inputs = [(weights.query, weights.query_bias), *((matrix, bias) for matrix, bias in own if matrix is not None)]
        normless = weights.query_norm is None and weights.key_norm is None
        plain = spec.rope is not None and normless and spec.temperature is None
        self._turns_together = plain and len(inputs) == 3 and same_layout(inputs[0][0], inputs[1][0])
        joins = [2, 1] if self._turns_together else [1] * len(inputs)
        self._inputs = Projections([matrix for matrix, _ in inputs], [bias for _, bias in inputs], ways, joins)
        self._output = SplitProduct([weights.output], weights.output_bias, ways)
        self._gate = None if weights.gate is None else SplitProduct([weights.gate], None, ways)
        self._query_norm = None if weights.query_norm is None else weights.query_norm.astype(HALF)
        self._key_norm = None if weights.key_norm is None else weights.key_norm.astype(HALF)
        self._sinks = None if weights.sinks is None else weights.sinks.astype(HALF)
        in_place = isinstance(pages, InPlacePages)
        can = ways.paged_decode and in_place and PagedDecode.fits(spec, weights.sinks)
        self._decode = PagedDecode(spec) if can else None
        can = ways.paged_prefill and in_place and PagedPrefill.fits(spec)
        self._prefill = PagedPrefill(spec, weights.sinks) if can else None
        rms = self._norm is None or spec.norm is NormKind.RMS
        can = ways.step_attention and in_place and rms and StepAttention.fits(weights, spec)
        norm = None if self._norm is None else Norm(self._norm, spec.norm_eps)
        self.of_steps = StepAttention(weights, spec, self._inputs, norm) if can else None
        self._step_norm, self._few_gates = norm, None
        self._few_norms = rms and ways.few_rows
        if can and self._gate is not None and self._gate.codes is not None:
            self._few_gates = FewRows(self._gate.codes, self._gate.bias, norm)
        self._rotation = None if spec.rope is None else Rotation(spec.rope, spec.head_dim, ways.rope)

    def __call__(self, x: mx.array, step: Step, pool: Pool | None) -> mx.array:
        """``x`` float32 ``[T, features]``, residual included."""
        spec = self._spec
        if not step.tokens:
            return x
        if pool is not None and self.of_steps is not None:
            tables, layer = step.tables[pool.group_of[self._kept]], pool.layers[self._kept]
            if self.of_steps.takes(step, tables, layer):
                few = self._few_outputs(x.shape[0]) if self._gate is None else None
                layout = Layout.BY_ROWS if few is None else few.layout
                out, pool.layers[self._kept] = self.of_steps(x, step, tables, layer, layout)
                gates = self._gates_of_step(x)
                return self._added(x, out if gates is None else self._gated(out, gates), layout)
        inputs = self._normed(x)
        queries, keys, values = self._projected(inputs, step)
        if pool is None or not spec.causal:
            if keys is None or values is None:
                raise ValueError("a layer that reads another's keys and values needs a pool that has them")
            outs = [self._encoded(run, queries, keys, values) for run in step.runs]
        else:
            tables = step.tables[pool.group_of[self._kept]]
            if keys is not None and values is not None:
                keys, values = pool.layers[self._kept].packed(keys, values)
                written = self._pages.written(pool.layers[self._kept], tables.slots, keys, values)
                pool.layers[self._kept] = written
            stored = pool.layers[self._kept]
            outs = [
                self._attended(run, tables, index, queries, keys, values, stored) for index, run in enumerate(step.runs)
            ]
        out = outs[0] if len(outs) == 1 else mx.concatenate(outs)
        if step.order is not None:
            out = out[step.order]
        if self._gate is not None:
            out = self._gated(out, self._gate(inputs))
        if not step.adapters:
            return self._added(x, out)
        return self._summed(x, step.adapters.added(self._output(out), out, self.layer, "output"))

    @property
    def output(self) -> FewRows | None:
        """Its output product for few rows, where a kernel takes it and nothing stands before or behind it."""
        plain = self._gate is None and self._post_norm is None and self._kept == self.layer
        return self._output.few if plain else None

    def _normed(self, x: mx.array) -> mx.array:
        """16-bit, of float32 ``x`` ``[T, features]``."""
        if self._step_norm is not None and self._few_norms:
            return self._step_norm(x)
        return normed(x, self._norm, self._spec.norm_eps, self._spec.norm, self._norm_bias).astype(HALF)

    def _gated(self, out: mx.array, gates: mx.array) -> mx.array:
        """Returns heads' outputs multiplied by their gates, 16-bit."""
        if self._spec.gate is Gate.SIGMOID and not self._spec.head_gates:
            return self._elementwise.gated_heads(out, gates)
        return gated_heads(out, gates.astype(mx.float32), self._spec).astype(HALF)

    def _gates_of_step(self, x: mx.array) -> mx.array | None:
        """What heads' outputs are gated with, 16-bit ``[T, heads * head_dim]``; or ``[T, heads]``."""
        if self._gate is None:
            return None
        if self._few_gates is not None and self._few_gates.takes(x.shape[0]):
            return self._few_gates.plain(x)
        return self._gate(x.astype(HALF) if self._step_norm is None else self._step_norm(x))

    def _added(self, x: mx.array, out: mx.array, layout: Layout = Layout.BY_ROWS) -> mx.array:
        """``x`` with the output product of what heads gave."""
        few = self._few_outputs(x.shape[0])
        return self._summed(x, self._output(out)) if few is None else few.added(out, x, layout)

    def _few_outputs(self, rows: int) -> FewRows | None:
        """The output product, with the residual, where a kernel takes so many rows."""
        few = self._output.few
        return few if few is not None and self._post_norm is None and few.takes(rows) else None

    def _summed(self, x: mx.array, out: mx.array) -> mx.array:
        if self._post_norm is None:
            return self._elementwise.add(x, out)
        return x + mx.fast.rms_norm(out.astype(mx.float32), self._post_norm, self._spec.norm_eps)

    def _projected(self, x: mx.array, step: Step) -> tuple[mx.array, mx.array | None, mx.array | None]:
        """Queries, keys and values, each 16-bit ``[T, its heads, head_dim]``, normed and turned; keys and values None
        where the layer has none of its own."""
        spec = self._spec
        if self._turns_together:
            both, values = self._inputs(x)
            if step.adapters:
                queries, keys = mx.split(both, [spec.heads * spec.head_dim], axis=1)
                queries, keys, values = self._adapted(x, step, queries, keys, values)
                both = mx.concatenate([queries, keys], axis=1)
            assert self._rotation is not None
            both = self._rotation(both.reshape(-1, spec.heads + spec.kv_heads, spec.head_dim), step.positions)
            return both[:, : spec.heads], both[:, spec.heads :], self._values(values)
        queries, *others = self._adapted(x, step, *self._inputs(x))
        queries = self._shaped(queries.reshape(-1, spec.heads, spec.head_dim), self._query_norm, step)
        if spec.temperature is not None:
            queries = (queries * step.temperatures(spec.temperature)).astype(HALF)
        if not others:
            return queries, None, None
        keys = self._shaped(others[0].reshape(-1, spec.kv_heads, spec.head_dim), self._key_norm, step)
        return queries, keys, self._values(others[-1])

    def _values(self, projected: mx.array) -> mx.array:
        values = projected.reshape(-1, self._spec.kv_heads, self._spec.head_dim)
        return mx.fast.rms_norm(values, None, self._spec.norm_eps) if self._spec.norm_values else values

    def _shaped(self, heads: mx.array, norm: mx.array | None, step: Step) -> mx.array:
        """``heads`` ``[T, heads, head_dim]`` normed, each by itself or all of a token together, and turned."""
        spec, rotation = self._spec, self._rotation
        if spec.rope_first and rotation is not None:
            heads = rotation(heads, step.positions)
        if norm is not None:
            rows = heads.reshape(heads.shape[0], -1, norm.size)
            heads = mx.fast.rms_norm(rows, norm, spec.norm_eps).reshape(heads.shape)
        if not spec.rope_first and rotation is not None:
            heads = rotation(heads, step.positions)
        return heads

    def _adapted(self, x: mx.array, step: Step, *outs: mx.array) -> list[mx.array]:
        """Queries, keys and values, as far as there are any, with what adapters add to them."""
        roles = ("query", "key", "value")[: len(outs)]
        return [step.adapters.added(out, x, self.layer, role) for role, out in zip(roles, outs, strict=True)]

    def _encoded(self, run: Run, queries: mx.array, keys: mx.array, values: mx.array) -> mx.array:
        """Every token of a sequence sees the whole of it, or what is near: ``[B * L, heads * head_dim]``."""
        own = Keys(run.length, None, self._near(run.length), False)
        rows = [of_run(run, part).reshape(run.count, run.length, *part.shape[1:]) for part in (queries, keys, values)]
        q, k, v = (part.transpose(0, 2, 1, 3) for part in rows)
        return self._flat(self._attend(q, k, v, own))

    def _near(self, length: int) -> mx.array | None:
        """Which keys each query of a sequence without order sees, bool ``[1, 1, L, L]``; None for all."""
        if not self._spec.window or length <= self._spec.window:
            return None
        return (_distances(length) < self._spec.window)[None, None]

    def _attended(
        self,
        run: Run,
        tables: DeviceTables,
        index: int,
        queries: mx.array,
        keys: mx.array | None,
        values: mx.array | None,
        stored: Layer,
    ) -> mx.array:
        """Of the step's run ``index``: ``[B * L, heads * head_dim]``. ``keys``, ``values``: the step's, as rows of
        pages."""
        spec = self._spec
        own = of_run(run, queries)
        if self._prefill is not None and stored.is_half and run.length > 1:
            return self._prefill(own, stored, *tables.of(index), tables.page_size)
        if self._decode is not None and stored.is_half and run.length == 1 and run.count > 1:
            return self._decode(own, stored, *tables.of(index), tables.page_size)
        seen = tables.keys(index, spec)
        q = own.reshape(run.count, run.length, spec.heads, spec.head_dim).transpose(0, 2, 1, 3)
        if keys is not None and values is not None and seen.causal and seen.length == run.length:
            # A prompt from its start: all it sees is in this step.
            k, v = (of_run(run, part)[None].transpose(0, 2, 1, 3) for part in (keys, values))
        else:
            assert seen.rows is not None
            k, v = self._pages.read(stored, seen.rows)
        k, v = stored.unpacked(k, v)
        return self._flat(self._attend(q, k, v, seen))

    def _flat(self, out: mx.array) -> mx.array:
        return out.transpose(0, 2, 1, 3).reshape(-1, self._spec.heads * self._spec.head_dim)

    def _attend(self, q: mx.array, k: mx.array, v: mx.array, seen: Keys) -> mx.array:
        """``q`` ``[B, heads, L, D]``, ``k`` and ``v`` ``[B, kv_heads, S, D]``: ``[B, heads, L, D]``."""
        spec = self._spec
        masked_query = q.shape[2] == 1 and seen.visible is not None and not self._ways.masked_queries
        if spec.softcap or spec.alibi or masked_query or not self._ways.attention:
            return self._plainly(q, k, v, seen)
        length, grid = q.shape[2], self._ways.query_grid
        added = -length % grid if seen.causal else 0
        if added:
            # As many queries as keys come behind, which none before them sees.
            q, k, v = (mx.pad(part, [(0, 0), (0, 0), (0, added), (0, 0)]) for part in (q, k, v))
        mask = "causal" if seen.causal else seen.visible
        out = mx.fast.scaled_dot_product_attention(q, k, v, scale=spec.scale, mask=mask, sinks=self._sinks)
        return out[:, :, :length] if added else out

    def _plainly(self, q: mx.array, k: mx.array, v: mx.array, seen: Keys) -> mx.array:
        spec, (count, _, length, _) = self._spec, q.shape
        shared = spec.heads // spec.kv_heads
        folded = (q * spec.scale).reshape(count, spec.kv_heads, shared * length, spec.head_dim)
        scores = (folded @ k.swapaxes(-1, -2)).reshape(count, spec.kv_heads, shared, length, -1)
        if spec.softcap:
            scores = spec.softcap * mx.tanh(scores.astype(mx.float32) / spec.softcap)
        if spec.alibi:
            scores = scores.astype(mx.float32) + distance_penalties(spec, _distances(length).astype(mx.float32))
        visible = seen.visible
        if seen.causal:
            distance = mx.arange(seen.length - length, seen.length)[:, None] - mx.arange(seen.length)
            visible = (distance >= 0)[None, None]
        if visible is not None:
            scores = mx.where(visible[:, :, None], scores, -mx.inf)
        if self._sinks is not None:
            column = self._sinks.reshape(1, spec.kv_heads, shared, 1, 1)
            column = mx.broadcast_to(column, (*scores.shape[:-1], 1))
            column = column.astype(scores.dtype)
            weights = mx.softmax(mx.concatenate([scores, column], axis=-1), axis=-1, precise=True)[..., :-1]
        else:
            weights = mx.softmax(scores, axis=-1, precise=True)
        weights = weights.astype(HALF).reshape(count, spec.kv_heads, shared * length, -1)
        return (weights @ v).reshape(count, spec.heads, length, spec.head_dim)


class Rotation:
    """A rope with every token's own position. ``fast``: by ``mx.fast.rope``, where it can be."""

    def __init__(self, rope: Rope, head_dim: int, fast: bool) -> None:
        self._rope, self._fast = rope, fast and len(rope.inverse_frequencies) >= FEWEST_PAIRS
        self._dims = 2 * len(rope.inverse_frequencies)
        self._neighbours = rope.style is RopeStyle.NORMAL
        self._periods = mx.array([1 / f if f else math.inf for f in rope.inverse_frequencies], mx.float32)
        self._magnitudes: mx.array | None = None
        if rope.magnitude != 1:
            values = [rope.magnitude] * self._dims + [1.0] * (head_dim - self._dims)
            self._magnitudes = mx.array(values, HALF)

    def __call__(self, x: mx.array, positions: mx.array) -> mx.array:
        """``x`` ``[T, heads, head_dim]``, ``positions`` int32 ``[T]``."""
        if self._magnitudes is not None:
            x = x * self._magnitudes
        if not self._fast:
            turns = positions[:, None, None] / self._periods
            return rotate(x, self._rope, mx.cos(turns), mx.sin(turns)).astype(HALF)
        parts = [
            self._turned(x[start : start + ROTATED_ROWS], positions[start : start + ROTATED_ROWS])
            for start in range(0, x.shape[0], ROTATED_ROWS)
        ]
        return parts[0] if len(parts) == 1 else mx.concatenate(parts)

    def _turned(self, x: mx.array, positions: mx.array) -> mx.array:
        turned = mx.fast.rope(
            x[:, :, None],
            self._dims,
            traditional=self._neighbours,
            base=None,
            scale=1.0,
            offset=positions,
            freqs=self._periods,
        )
        return turned[:, :, 0]


def _distances(length: int) -> mx.array:
    """How far apart the tokens of a sequence are: int32 ``[L, L]``."""
    at = mx.arange(length)
    return mx.abs(at[:, None] - at)


def of_run(run: Run, x: mx.array) -> mx.array:
    """Returns the run's rows of ``x``."""
    if run.begin is None:
        return x[mx.array(run.rows)]
    whole = len(run.rows) == x.shape[0]
    return x if whole else x[run.begin : run.begin + len(run.rows)]

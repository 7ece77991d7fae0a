"""The latent attention half of a layer: every head's queries meet one vector a token, gathered from the pool."""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx

from mlxr.metal.cache import NumberType
from mlxr.metal.mlx.attention import Rotation, of_run
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import Elementwise
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.page_forms import Form
from mlxr.metal.mlx.pool_array import PoolArray, RowAccess
from mlxr.metal.mlx.products import Projections, SplitProduct, head_products
from mlxr.metal.mlx.steps import DeviceTables, Keys, Run, Step
from mlxr.metal.pool import Pool
from mlxr.metal.specs import AttentionSpec, LatentSpec
from mlxr.metal.weights import LatentWeights


class LatentAttention:
    """One layer's, prepared. A layer of the pool is a ``PoolArray``."""

    def __init__(
        self,
        weights: LatentWeights,
        spec: LatentSpec,
        layer: int,
        ways: Ways,
        elementwise: Elementwise,
        pages: Mapping[NumberType, RowAccess],
    ) -> None:
        self._spec, self._layer, self._ways, self._elementwise, self._pages = spec, layer, ways, elementwise, pages
        self._whole = AttentionSpec(spec.heads, 1, spec.kept, spec.scale)  # as whose keys the vectors are looked up
        self._norm = weights.norm
        first = weights.query if weights.query_down is None else weights.query_down
        self._inputs = Projections((first, weights.latent), (None, None), ways)
        self._query = None if weights.query_down is None else SplitProduct([weights.query], None, ways)
        self._query_norm = None if weights.query_norm is None else weights.query_norm.astype(HALF)
        self._latent_norm = weights.latent_norm.astype(HALF)
        self._key_up, self._value_up = weights.key_up.handle, weights.value_up.handle
        self._output = SplitProduct([weights.output], None, ways)
        self._rotation = None if spec.rope is None else Rotation(spec.rope, spec.rope_dims, ways.rope)

    def __call__(self, x: mx.array, step: Step, pool: Pool | None) -> mx.array:
        """``x`` float32 ``[T, features]``, residual included."""
        if not step.tokens:
            return x
        assert pool is not None, "latent attention keeps a sequence's vectors in a pool"
        spec = self._spec
        normed = x if self._norm is None else mx.fast.rms_norm(x, self._norm, spec.norm_eps)
        queries, vectors = self._projected(normed.astype(HALF), step)
        tables = step.tables[pool.group_of[self._layer]]
        (form,) = map(Form, pool.spec.groups[pool.group_of[self._layer]].group.vectors)
        rows = form.packed(vectors)
        stored = self._pages[form.type].written(pool.layers[self._layer], tables.slots, rows)
        pool.layers[self._layer] = stored
        outs = [self._attended(run, tables, index, queries, rows, stored, form) for index, run in enumerate(step.runs)]
        latents = outs[0] if len(outs) == 1 else mx.concatenate(outs)
        if step.order is not None:
            latents = latents[step.order]
        values = head_products(latents.swapaxes(0, 1), self._value_up.matrix, self._ways).swapaxes(0, 1)
        return self._elementwise.add(x, self._output(values.reshape(step.tokens, -1)))

    def _projected(self, x: mx.array, step: Step) -> tuple[mx.array, mx.array]:
        """Returns queries ``[T, heads, kept]``, scaled, and what tokens keep, ``[T, kept]``, 16-bit both."""
        spec = self._spec
        queries, both = self._inputs(x)
        if self._query is not None:
            queries = self._query(mx.fast.rms_norm(queries, self._query_norm, spec.latent_eps))
        queries = queries.reshape(-1, spec.heads, spec.plain_dims + spec.rope_dims) * spec.scale
        if spec.temperature is not None:
            queries = (queries * step.temperatures(spec.temperature)).astype(HALF)
        plain, turned = queries[:, :, : spec.plain_dims], queries[:, :, spec.plain_dims :]
        latents, key = both[:, : spec.rank], both[:, None, spec.rank :]
        if self._rotation is not None:
            turned, key = self._rotation(turned, step.positions), self._rotation(key, step.positions)
        absorbed = head_products(plain.swapaxes(0, 1), self._key_up.matrix, self._ways).swapaxes(0, 1)
        latents = mx.fast.rms_norm(latents, self._latent_norm, spec.latent_eps)
        return mx.concatenate([absorbed, turned], axis=-1), mx.concatenate([latents, key[:, 0]], axis=-1)

    def _attended(
        self,
        run: Run,
        tables: DeviceTables,
        index: int,
        queries: mx.array,
        rows: mx.array,
        stored: PoolArray,
        form: Form,
    ) -> mx.array:
        """Of the step's run ``index``: mixed latents ``[B * L, heads, rank]``. ``rows``: what its tokens keep."""
        spec = self._spec
        seen = tables.keys(index, self._whole)
        q = of_run(run, queries).reshape(run.count, run.length, spec.heads, spec.kept).swapaxes(1, 2)
        if seen.causal and seen.length == run.length:
            kept = form.unpacked(of_run(run, rows))[None]  # a prompt from its start: all it sees is in this step
        else:
            assert seen.rows is not None
            kept = form.unpacked(self._pages[form.type].read(stored, seen.rows[:, 0]))
        out = self._attend(q, kept, seen)
        return out.swapaxes(1, 2).reshape(-1, spec.heads, spec.rank)

    def _attend(self, q: mx.array, kept: mx.array, seen: Keys) -> mx.array:
        """``q`` ``[B, heads, L, kept]``, ``kept`` ``[B, S, kept]``: ``[B, heads, L, rank]``."""
        spec, (count, _, length, _) = self._spec, q.shape
        scores = q.reshape(count, spec.heads * length, spec.kept) @ kept.swapaxes(1, 2)
        scores = scores.reshape(count, spec.heads, length, -1)
        visible = seen.visible
        if seen.causal:
            distance = mx.arange(seen.length - length, seen.length)[:, None] - mx.arange(seen.length)
            visible = (distance >= 0)[None, None]
        if visible is not None:
            scores = mx.where(visible, scores, -mx.inf)
        weights = mx.softmax(scores, axis=-1, precise=True).astype(HALF)
        out = weights.reshape(count, spec.heads * length, -1) @ kept[:, :, : spec.rank]
        return out.reshape(count, spec.heads, length, spec.rank)

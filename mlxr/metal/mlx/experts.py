"""A mixture of experts as the feed-forward half of a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx

from mlxr.metal.mlx import own_blocks
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import HEADROOM, Elementwise
from mlxr.metal.mlx.matrix_forms import HALF, Blocks, Codes
from mlxr.metal.mlx.norms import normed
from mlxr.metal.mlx.own_experts import OwnExperts
from mlxr.metal.mlx.products import Projections, SplitProduct, product
from mlxr.metal.mlx.tables import dense, is_made_dense
from mlxr.metal.reference.experts import choose, mixed
from mlxr.metal.specs import ExpertsSpec
from mlxr.metal.weights import ExpertsWeights, Weight

ROWS_OF_AN_EXPERT = 20
"""On average: from so many on all experts' matrices are made floats and multiplied by rows in the order of experts."""


class Experts:
    """One layer's, prepared."""

    def __init__(self, weights: ExpertsWeights, spec: ExpertsSpec, ways: Ways, elementwise: Elementwise) -> None:
        self._weights, self._spec, self._ways = weights, spec, ways
        if weights.gate is None:
            self._hidden: Callable[..., mx.array] = elementwise.activation(spec.activation)
        else:
            self._hidden = elementwise.gate(spec.activation)
        if weights.shared is not None:
            inputs = [weight for weight in (weights.shared.gate, weights.shared.up) if weight is not None]
            self._shared = Projections(inputs, [None] * len(inputs), ways)
            self._shared_down = SplitProduct([weights.shared.down], None, ways)
        self._few = OwnExperts(weights, spec) if ways.experts and OwnExperts.fits(weights, spec) else None

    def clear(self) -> None:
        """Forgets what steps before have left for the next."""
        if self._few is not None:
            self._few.clear()

    @property
    def router(self) -> OwnExperts | None:
        """Whose choice another kernel may make."""
        return self._few if self._few is not None and self._few.routes else None

    def __call__(self, x: mx.array, residual: mx.array, routed: Sequence[mx.array] | None = None) -> mx.array:
        """``x`` float32 ``[T, features]``; ``residual``, of the same shape, is what the result is added to. ``routed``:
        the rows normed, what they chose and their shares, if that is known."""
        if not x.shape[0]:
            return residual
        weights, few = self._weights, self._few
        if few is not None and not few.takes(x.shape[0]):
            few = None
        if routed is None:
            routed = few.routed(x) if few is not None and few.routes else self._routed(x)
        rows, chosen, share = routed
        common: mx.array | None = None
        if (shared := weights.shared) is not None:
            read = rows if shared.norm is None else self._normed(x, shared.norm).astype(HALF)
            common = self._normed(self._common(read) * HEADROOM, shared.post_norm)
        if few is not None:
            out = few.added(rows, chosen, share, residual if common is None else residual + common)
        else:
            out = self._normed(self._mixture(rows, chosen, share) * HEADROOM, weights.mixture_post_norm)
            out = residual + self._normed(out if common is None else out + common, weights.post_norm)
        return out if weights.output_scale is None else out * weights.output_scale

    def _routed(self, x: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """Returns the rows that experts take, 16-bit; what each chose, int32 ``[T, used]``; and their shares."""
        weights, spec = self._weights, self._spec
        rows = normed(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias).astype(HALF)
        routed = rows if weights.router_norm is None else self._normed(x, weights.router_norm).astype(HALF)
        logits = product(routed, weights.router.handle.matrix, self._ways).astype(mx.float32)
        if weights.router_bias is not None:
            logits = logits + weights.router_bias
        chosen, share = choose(logits, weights.choice_bias, spec)
        if weights.expert_scale is not None:
            share = share * weights.expert_scale[chosen]
        return rows, chosen, share

    def _mixture(self, rows: mx.array, chosen: mx.array, share: mx.array) -> mx.array:
        """Float32 ``[T, features]``, divided by ``HEADROOM``."""
        weights = self._weights
        read = rows
        if weights.latent_down is not None:
            read = product(rows, weights.latent_down.handle.matrix, self._ways)
        read = read[:, None]
        if self._spec.weighs_inputs:
            read, share = (read * share[:, :, None]).astype(HALF), mx.ones_like(share)
        out = self._of_groups(read, chosen) if self._groups(chosen) else self._of_chosen(read, chosen)
        out = mixed(out.astype(mx.float32), share)
        if weights.latent_up is not None:
            out = product(out.astype(HALF), weights.latent_up.handle.matrix, self._ways).astype(mx.float32)
        return out

    def _groups(self, chosen: mx.array) -> bool:
        """Whether rows are brought into the order of experts."""
        if not self._ways.grouped_experts:
            return False
        weights = self._weights
        matrices = [weight.handle.matrix for weight in (weights.gate, weights.up, weights.down) if weight is not None]
        enough = chosen.size >= ROWS_OF_AN_EXPERT * self._spec.experts
        return enough and all(is_made_dense(matrix, self._ways) for matrix in matrices)

    def _of_groups(self, read: mx.array, chosen: mx.array) -> mx.array:
        """As ``_of_chosen``, with all rows of an expert one behind another."""
        tokens, used = chosen.shape
        order = mx.argsort(chosen.reshape(-1))
        rows = read.reshape(-1, 1, read.shape[-1])[order // (used // read.shape[1])]
        out = self._of_chosen(rows, chosen.reshape(-1)[order][:, None], grouped=True)
        return out.reshape(tokens * used, -1)[mx.argsort(order)].reshape(tokens, used, -1)

    def _of_chosen(self, read: mx.array, chosen: mx.array, grouped: bool = False) -> mx.array:
        """What each token's experts make of its rows ``[T, 1 or used, in]``: 16-bit ``[T, used, features]``, divided by
        ``HEADROOM``. ``grouped``: whether tokens are in the order of the one expert that each uses."""
        weights = self._weights
        inputs = [self._multiplied(read, weights.up, chosen, weights.up_bias, grouped)]
        if weights.gate is not None:
            inputs.insert(0, self._multiplied(read, weights.gate, chosen, weights.gate_bias, grouped))
        bias = None if weights.down_bias is None else weights.down_bias / HEADROOM
        return self._multiplied(self._hidden(*inputs), weights.down, chosen, bias, grouped)

    def _normed(self, x: mx.array, norm: mx.array | None) -> mx.array:
        return x if norm is None else mx.fast.rms_norm(x, norm, self._spec.norm_eps)

    def _common(self, rows: mx.array) -> mx.array:
        """What the shared expert adds, divided by ``HEADROOM``."""
        out = self._shared_down(self._hidden(*self._shared(rows))).astype(mx.float32)
        router = self._weights.shared_router
        if router is None:
            return out
        return out * mx.sigmoid(product(rows, router.handle.matrix, self._ways).astype(mx.float32))

    def _multiplied(
        self, x: mx.array, weight: Weight, chosen: mx.array, bias: mx.array | None, grouped: bool = False
    ) -> mx.array:
        """16-bit rows ``[T, 1 or used, in]`` by the matrices of the experts that each token uses."""
        matrix, count = weight.handle.matrix, self._spec.experts
        rows = x[:, :, None].astype(mx.float32) if self._ways.wide_sums else x[:, :, None]
        if isinstance(matrix, Blocks):
            out = own_blocks.of_experts(x, matrix, count, chosen)
            return out if bias is None else out + bias.reshape(count, -1)[chosen].astype(HALF)
        if grouped:
            floats = (dense(matrix, self._ways) if isinstance(matrix, Codes) else matrix.values).astype(rows.dtype)
            matrices = floats.reshape(count, -1, weight.shape[1]).swapaxes(-1, -2)
            # By shape: on CUDA MLX takes the stride of an axis of one for that of rows, and only here is it the same.
            of_one = rows.reshape(-1, weight.shape[1]).reshape(-1, 1, weight.shape[1])
            out = mx.gather_mm(of_one, matrices, rhs_indices=chosen[:, 0], sorted_indices=True)[:, :, None]
        elif isinstance(matrix, Codes):
            apart = matrix.of([array.reshape(count, -1, array.shape[-1]) for array in matrix.arrays])
            scales, biases = apart.wide(rows.dtype)
            out = mx.gather_qmm(
                rows,
                apart.packed,
                scales,
                biases,
                rhs_indices=chosen,
                transpose=True,
                group_size=matrix.group,
                bits=matrix.bits,
                mode=matrix.mode,
            )
        else:
            matrices = matrix.values.reshape(count, -1, weight.shape[1]).swapaxes(-1, -2)
            out = mx.gather_mm(rows, matrices.astype(rows.dtype), rhs_indices=chosen)
        out = out[:, :, 0].astype(HALF)
        return out if bias is None else out + bias.reshape(count, -1)[chosen].astype(HALF)

"""The feed-forward half of a layer: a perceptron, or a mixture of experts (``experts.py``)."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.reference import adapters, experts, products
from mlxr.metal.reference.rows import activated, gated, linear, norm_rows, scaled
from mlxr.metal.reference.step import Step
from mlxr.metal.specs import Activation, ExpertsSpec, MLPSpec
from mlxr.metal.weights import ExpertsWeights, MLPWeights, Weight


def perceptron_half(
    weights: MLPWeights, spec: MLPSpec, layer: int | None, x: mx.array, step: Step | None = None
) -> mx.array:
    """``x`` float32 ``[T, features]`` to the same, the residual included."""
    own = adapters.NO_ADAPTERS if step is None else step.adapters
    out = _mlp(
        weights, spec.activation, norm_rows(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias), own, layer
    )
    return scaled(x + norm_rows(out, weights.post_norm, spec.norm_eps), weights.output_scale)


def experts_half(weights: ExpertsWeights, spec: ExpertsSpec, x: mx.array, step: Step | None = None) -> mx.array:
    """Likewise. No adapter is for experts."""
    if not x.shape[0]:
        return x
    normed = norm_rows(x, weights.norm, spec.norm_eps, spec.norm, weights.norm_bias)
    routed = normed if weights.router_norm is None else norm_rows(x, weights.router_norm, spec.norm_eps)
    chosen, share = experts.choose(linear(routed, weights.router, weights.router_bias), weights.choice_bias, spec)
    if weights.expert_scale is not None:
        share = share * weights.expert_scale[chosen]

    def multiply(rows: mx.array, weight: Weight, bias: mx.array | None) -> mx.array:
        """Rows ``[T, 1 or used, in]`` by the matrices of the experts that each token uses."""
        out = products.by_expert(rows, weight, chosen, spec.experts)
        return out if bias is None else out + bias.reshape(spec.experts, -1)[chosen]

    read = normed if weights.latent_down is None else linear(normed, weights.latent_down, None)
    read = read[:, None]
    if spec.weighs_inputs:
        read, share = read * share[:, :, None], mx.ones_like(share)
    up = multiply(read, weights.up, weights.up_bias)
    if weights.gate is None:
        hidden = activated(up, spec.activation)
    else:
        hidden = gated(multiply(read, weights.gate, weights.gate_bias), up, spec.activation)
    out = experts.mixed(multiply(hidden, weights.down, weights.down_bias), share)
    if weights.latent_up is not None:
        out = linear(out, weights.latent_up, None)
    out = norm_rows(out, weights.mixture_post_norm, spec.norm_eps)
    if (shared := weights.shared) is not None:
        read = normed if shared.norm is None else norm_rows(x, shared.norm, spec.norm_eps)
        common = _mlp(shared, spec.activation, read)
        if weights.shared_router is not None:
            common = common * mx.sigmoid(linear(read, weights.shared_router, None))
        out = out + norm_rows(common, shared.post_norm, spec.norm_eps)
    return scaled(x + norm_rows(out, weights.post_norm, spec.norm_eps), weights.output_scale)


def _mlp(
    weights: MLPWeights,
    activation: Activation,
    normed: mx.array,
    own: adapters.StepAdapters = adapters.NO_ADAPTERS,
    layer: int | None = None,
) -> mx.array:
    def project(x: mx.array, weight: Weight, bias: mx.array | None, role: str) -> mx.array:
        return own.added(linear(x, weight, bias), x, layer, role)

    hidden = project(normed, weights.up, weights.up_bias, "up")
    if weights.gate is None:
        hidden = activated(hidden, activation)
    else:
        hidden = gated(project(normed, weights.gate, weights.gate_bias, "gate"), hidden, activation)
    return project(hidden, weights.down, weights.down_bias, "down")

"""What the feed-forward half of a layer is prepared from: a perceptron's tensors, or a mixture's, by their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mlxr.metal.weights import ExpertsWeights, FeedForwardWeights, MLPWeights, SeparateExpertsWeights, Weight
from mlxr.models.architectures.spec import MLP, Experts, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx

HalfWeights: TypeAlias = FeedForwardWeights | SeparateExpertsWeights


def half_weights(layer: LayerSpec, half: FeedForward, width: int, tensors: NamedTensors) -> HalfWeights:
    """Returns what the feed-forward half of a decoder's layer is prepared from."""
    if isinstance(half, Experts) and half.spec.jitter is not None:
        return separate_experts(layer, half, width, tensors)
    return feed_forward_weights(layer, half, width, tensors)


def feed_forward_weights(layer: LayerSpec, half: FeedForward, width: int, tensors: NamedTensors) -> FeedForwardWeights:
    """Returns what the feed-forward half of a layer is prepared from."""
    if isinstance(half, Experts):
        return experts_weights(layer, half, width, tensors)
    return mlp_weights(layer, half, width, tensors)


def experts_weights(spec: LayerSpec, half: Experts, width: int, tensors: NamedTensors) -> ExpertsWeights:
    count, hidden, common, narrow = half.spec.experts, half.hidden, half.shared_hidden, half.latent or width
    gate: Weight | None = None
    gate_bias: mx.array | None = None
    if half.gated:
        gate, up = tensors.gates_and_ups(count, hidden, narrow)
        gate_bias, up_bias = tensors.gate_and_up_biases(count, hidden, spec.biases)
    else:
        up = tensors.experts("experts_up", count, hidden, narrow)
        up_bias = tensors.bias("experts_up_bias", count * hidden, spec.biases, count)
    return ExpertsWeights(
        router=tensors.exact_matrix("router", count, width),
        gate=gate,
        up=up,
        down=tensors.experts("experts_down", count, narrow, hidden),
        latent_down=tensors.matrix("latent_down", narrow, width) if half.latent else None,
        latent_up=tensors.matrix("latent_up", width, narrow) if half.latent else None,
        norm=tensors.norm("experts_norm" if half.own_norms else "feed_forward_norm", width)
        if spec.norms.before
        else None,
        norm_bias=tensors.bias("feed_forward_norm_bias", width, spec.biases) if spec.norms.before else None,
        router_bias=tensors.bias("router_bias", count, spec.biases),
        choice_bias=tensors.bias("choice_bias", count, {"choice_bias"} if half.choice_bias else ()),
        gate_bias=gate_bias,
        up_bias=up_bias,
        down_bias=tensors.bias("experts_down_bias", count * narrow, spec.biases, count),
        shared=_shared_weights(half, width, tensors) if common else None,
        shared_router=tensors.row("shared_router", width) if common and "shared_router" in tensors else None,
        router_norm=tensors.vector("router_norm", width, width**-0.5) if half.own_norms else None,
        expert_scale=tensors.bias("expert_scale", count, spec.biases),
        mixture_post_norm=tensors.norm("mixture_post_norm", width) if half.own_norms else None,
        post_norm=tensors.norm("feed_forward_post_norm", width) if spec.norms.after else None,
        output_scale=_output_scale(spec, tensors),
    )


def separate_experts(spec: LayerSpec, half: Experts, width: int, tensors: NamedTensors) -> SeparateExpertsWeights:
    count, hidden = half.spec.experts, half.hidden
    return SeparateExpertsWeights(
        router=tensors.exact_matrix("router", count, width),
        gates=tuple(tensors.experts_apart("experts_gate", count, hidden, width)),
        ups=tuple(tensors.experts_apart("experts_up", count, hidden, width)),
        downs=tuple(tensors.experts_apart("experts_down", count, width, hidden)),
        norm=tensors.norm("feed_forward_norm", width),
        norm_bias=tensors.bias("feed_forward_norm_bias", width, spec.biases),
    )


def _shared_weights(half: Experts, width: int, tensors: NamedTensors) -> MLPWeights:
    """Returns the perceptron that every token uses beside its experts."""
    hidden, roles = half.shared_hidden, ("shared_gate", "shared_up") if half.gated else ("shared_up",)
    *gate, up = tensors.matrices(roles, [hidden] * len(roles), width, together="shared_gate_up")
    return MLPWeights(
        up=up,
        down=tensors.matrix("shared_down", width, hidden),
        gate=gate[0] if gate else None,
        norm=tensors.norm("shared_norm", width) if half.own_norms else None,
        post_norm=tensors.norm("shared_post_norm", width) if half.own_norms else None,
    )


def mlp_weights(spec: LayerSpec, half: MLP, width: int, tensors: NamedTensors) -> MLPWeights:
    hidden, norms = half.hidden, spec.norms
    gate: Weight | None = None
    if half.gated and tensors.named("up_gate"):
        up, gate = tensors.matrices(("up", "gate"), (hidden, hidden), width)
    elif half.gated:
        gate, up = tensors.matrices(("gate", "up"), (hidden, hidden), width)
    else:
        up = tensors.matrix("up", hidden, width)
    return MLPWeights(
        gate=gate,
        up=up,
        down=tensors.matrix("down", width, hidden),
        norm=tensors.norm("feed_forward_norm", width, half.input_scale) if norms.before else None,
        norm_bias=tensors.bias("feed_forward_norm_bias", width, spec.biases) if norms.before else None,
        post_norm=tensors.norm("feed_forward_post_norm", width) if norms.after else None,
        gate_bias=tensors.bias("gate_bias", hidden, spec.biases) if half.gated else None,
        up_bias=tensors.bias("up_bias", hidden, spec.biases),
        down_bias=tensors.bias("down_bias", width, spec.biases),
        output_scale=_output_scale(spec, tensors),
    )


def _output_scale(layer: LayerSpec, tensors: NamedTensors) -> mx.array | None:
    """Returns what the feed-forward's output is multiplied by; None where the layer goes on behind it."""
    return tensors.bias("output_scale", 1, layer.biases) if layer.per_layer is None else None

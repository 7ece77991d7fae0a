"""The tensors of models whose layers update streams by turns (Gemma 3n)."""

from __future__ import annotations

from mlxr.metal.specs import AlternatingSpec
from mlxr.metal.weights import AlternatingLayerWeights, AlternatingWeights
from mlxr.models.architectures import per_layer
from mlxr.models.architectures.spec import Alternating
from mlxr.models.architectures.tensors import NamedTensors


def model_weights(spec: AlternatingSpec, width: int, tensors: NamedTensors) -> AlternatingWeights:
    others = spec.streams - 1
    return AlternatingWeights(
        projections=tensors.separate("stream_projection", others, width, width),
        unprojections=tensors.separate("stream_unprojection", others, width, width),
        per_layer=per_layer.embedding_weights(spec.per_layer, width, tensors),
    )


def layer_weights(alternating: Alternating, width: int, tensors: NamedTensors) -> AlternatingLayerWeights:
    """``tensors``: those of the layer."""
    spec, rank = alternating.spec, alternating.laurel_rank
    return AlternatingLayerWeights(
        router=tensors.matrix("stream_router", spec.streams, width),
        router_norm=tensors.norm("stream_router_norm", width),
        prediction=tensors.matrix("stream_prediction", spec.streams**2, spec.streams),
        correction=tensors.matrix("stream_correction", spec.streams, spec.streams),
        attention_norm=tensors.norm("attention_norm", width),
        laurel_left=tensors.matrix("laurel_left", rank, width),
        laurel_right=tensors.matrix("laurel_right", width, rank),
        laurel_norm=tensors.norm("laurel_norm", width),
        per_layer=per_layer.input_weights(spec.per_layer.size, width, tensors),
        correction_scale=tensors.vector("stream_correction_scale", width) if alternating.scales else None,
    )

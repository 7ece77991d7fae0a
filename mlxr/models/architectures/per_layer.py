"""The tensors of per-layer embeddings: those of all layers, and how one layer adds its own."""

from __future__ import annotations

from mlxr.metal.specs import PerLayerEmbeddingSpec
from mlxr.metal.weights import PerLayerEmbeddingWeights, PerLayerInputWeights
from mlxr.models.architectures.sizes import MAX_VOCABULARY
from mlxr.models.architectures.tensors import NamedTensors


def embedding_weights(spec: PerLayerEmbeddingSpec, width: int, tensors: NamedTensors) -> PerLayerEmbeddingWeights:
    rows, numbers = tensors.rows("per_layer_table", MAX_VOCABULARY), spec.layers * spec.size
    return PerLayerEmbeddingWeights(
        table=tensors.lookup_table("per_layer_table", rows, numbers),
        projection=tensors.matrix("per_layer_projection", numbers, width),
        norm=tensors.norm("per_layer_norm", spec.size),
    )


def input_weights(size: int, width: int, tensors: NamedTensors) -> PerLayerInputWeights:
    """``tensors``: those of the layer, which gets ``size`` numbers."""
    return PerLayerInputWeights(
        gate=tensors.matrix("per_layer_gate", size, width),
        output=tensors.matrix("per_layer_output", width, size),
        post_norm=tensors.norm("per_layer_post_norm", width),
        output_scale=tensors.bias("output_scale", 1, ()),
    )

"""Per-layer embeddings: their sizes, the tensors of those of all layers, and how one layer adds its own."""

from __future__ import annotations

from mlxr.metal.specs import PerLayerEmbeddingSpec
from mlxr.metal.weights import PerLayerEmbeddingWeights, PerLayerInputWeights
from mlxr.models.architectures.sizes import MAX_VOCABULARY, MAX_WIDTH, Sizes
from mlxr.models.architectures.tensors import NamedTensors
from mlxr.models.hyperparameters import Hyperparameters


def per_layer_embedding(parameters: Hyperparameters, sizes: Sizes) -> PerLayerEmbeddingSpec | None:
    """Returns the further inputs of all layers; None where a model has none."""
    size = parameters.integer("embedding_length_per_layer_input", 0)
    if not size:
        return None
    size = parameters.positive("embedding_length_per_layer_input", most=MAX_WIDTH)
    return PerLayerEmbeddingSpec(sizes.layers, size, sizes.width**-0.5, size**0.5, 0.5**0.5, sizes.norm_eps)


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

"""Models whose layers update streams by turns (Gemma 3n's AltUp), with a low-rank product beside attention (LAuReL):
their sizes, their tensors, and what formats call these."""

from __future__ import annotations

from mlxr.metal.specs import AlternatingSpec
from mlxr.metal.weights import AlternatingLayerWeights, AlternatingWeights
from mlxr.models.architectures import per_layer
from mlxr.models.architectures.sizes import Sizes
from mlxr.models.architectures.spec import Alternating
from mlxr.models.architectures.tensors import NamedTensors, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

MAX_STREAMS = 64

GGUF_NAMES: Names = {
    "stream_projection": "altup_proj.weight",
    "stream_unprojection": "altup_unembd_proj.weight",
    "stream_router": "blk.{layer}.altup_router.weight",
    "stream_router_norm": "blk.{layer}.altup_router_norm.weight",
    "stream_prediction": "blk.{layer}.altup_predict_coef.weight",
    "stream_correction": "blk.{layer}.altup_correct_coef.weight",
    "stream_correction_scale": "blk.{layer}.altup_correct_scale.weight",
    "laurel_left": "blk.{layer}.laurel_l.weight",
    "laurel_right": "blk.{layer}.laurel_r.weight",
    "laurel_norm": "blk.{layer}.laurel_post_norm.weight",
}
FOLDER_NAMES: Names = {
    "stream_projection": "model.altup_projections.{expert}.weight",
    "stream_unprojection": "model.altup_unembed_projections.{expert}.weight",
    "stream_router": "model.layers.{layer}.altup.modality_router.weight",
    "stream_router_norm": "model.layers.{layer}.altup.router_norm.weight",
    "stream_prediction": "model.layers.{layer}.altup.prediction_coefs.weight",
    "stream_correction": "model.layers.{layer}.altup.correction_coefs.weight",
    "stream_correction_scale": "model.layers.{layer}.altup.correct_output_scale",
    "laurel_left": "model.layers.{layer}.laurel.linear_left.weight",
    "laurel_right": "model.layers.{layer}.laurel.linear_right.weight",
    "laurel_norm": "model.layers.{layer}.laurel.post_laurel_norm.weight",
}


def alternating(parameters: Hyperparameters, weights: Weights, sizes: Sizes) -> Alternating:
    """Returns what a file describes. Raises ``ModelFileError`` where there are no per-layer embeddings, or a stream is
    to be computed that there is not."""
    further = per_layer.per_layer_embedding(parameters, sizes)
    if further is None:
        raise parameters.error("has no per-layer embeddings, which its family has")
    streams = parameters.positive("altup.num_inputs", 4, MAX_STREAMS)
    active = parameters.integer("altup.active_idx", 0)
    if not 0 <= active < streams:
        raise parameters.error(f"computes stream {active} of {streams}")
    in_gguf = parameters.format is Format.GGUF
    left = GGUF_NAMES["laurel_left"].format(layer=0)
    rank = weights.rows(left, sizes.width) if in_gguf else parameters.positive("laurel_rank", 64)
    scales = in_gguf or parameters.flag("altup_correct_scale", True)
    return Alternating(AlternatingSpec(streams, active, further, sizes.norm_eps), rank, scales)


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

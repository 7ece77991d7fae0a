"""Gemma 3n (Google 2025): four streams that layers update by turns, a low-rank product beside attention, per-layer
embeddings, sparse gates in the first layers, and last layers that read the keys and values of earlier ones."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

from mlxr.metal.specs import Activation, AlternatingSpec, MLPSpec, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.gemma4 import FOLDER_LEFTOVERS, SENSES, SHARED_KEYS
from mlxr.models.architectures.heads import require_all_turned
from mlxr.models.architectures.layer_kinds import all_but_every, kv_sources, listed_windows
from mlxr.models.architectures.leftovers import GGUF, Leftovers
from mlxr.models.architectures.per_layer import per_layer_embedding
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation
from mlxr.models.architectures.spec import MLP, Alternating, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 5
"""Every so many-th layer sees everything where a file does not say."""
SPARSE_LAYERS, SPARSE = 10, 0.95
"""The first layers, and the share of their gates' outputs that do not count, where a file does not say."""
KEYED_LAYERS = 20
"""Layers with keys of their own, in GGUF files that do not say."""
MAX_STREAMS = 64


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=256, usual_hidden=False)
    require_activation(parameters, "gelu_pytorch_tanh", key="hidden_activation")
    dims = sizes.rope_dims
    require_all_turned(parameters, sizes.head_dim, dims)
    count, in_gguf = sizes.layers, parameters.format is Format.GGUF
    whole = model_rope(parameters, dims, RopeStyle.NEOX, None, 1_000_000.0, "full_attention")
    near = window_rope(parameters, dims, 10000.0)
    slides = listed_windows(parameters, count) or all_but_every(PATTERN, count)
    usually_shared = max(0, count - KEYED_LAYERS) if in_gguf else 15
    sources = kv_sources(parameters, slides, parameters.integer("attention.shared_kv_layers", usually_shared))
    window = parameters.positive("attention.sliding_window")
    hidden = parameters.positives("feed_forward_length", count, most=MAX_HIDDEN)
    scale = parameters.number("attention.scale", 1.0)
    layers = []
    for slide, source, wide, sparsity in zip(slides, sources, hidden, _sparsity(parameters, count), strict=True):
        attention = replace(
            sizes.attention(near if slide else whole, scale, window if slide else 0), norm_values=True, kv_layer=source
        )
        perceptron = MLP(wide, MLPSpec(Activation.GELU_TANH, sizes.norm_eps, sparsity=sparsity))
        layers.append(LayerSpec(attention, perceptron, Norms(after=True, heads=True)))
    spec = sizes.decoder(layers, sizes.width**0.5, parameters.number("final_logit_softcapping", 30.0))
    return replace(spec, alternating=_alternating(parameters, weights, sizes))


def _alternating(parameters: Hyperparameters, weights: Weights, sizes: Sizes) -> Alternating:
    further = per_layer_embedding(parameters, sizes)
    if further is None:
        raise parameters.error("has no per-layer embeddings, which its family has")
    streams = parameters.positive("altup.num_inputs", 4, MAX_STREAMS)
    active = parameters.integer("altup.active_idx", 0)
    if not 0 <= active < streams:
        raise parameters.error(f"computes stream {active} of {streams}")
    in_gguf = parameters.format is Format.GGUF
    rank = weights.rows("blk.0.laurel_l.weight", sizes.width) if in_gguf else parameters.positive("laurel_rank", 64)
    scales = in_gguf or parameters.flag("altup_correct_scale", True)
    return Alternating(AlternatingSpec(streams, active, further, sizes.norm_eps), rank, scales)


def _sparsity(parameters: Hyperparameters, layers: int) -> list[float | None]:
    """Returns by how many standard deviations a gate's outputs must exceed their mean, layer by layer; None where all
    count. A ``config.json`` has shares of those that do not, GGUF files the deviations."""
    if parameters.format is Format.GGUF:
        found = parameters.numbers("activation_sparsity_scale", layers, finite=False)
        if found is not None:
            return [one if math.isfinite(one) else None for one in found]
    shares = None if parameters.format is Format.GGUF else parameters.numbers("activation_sparsity_pattern", layers)
    if shares is None:
        first = SPARSE_LAYERS if layers > SPARSE_LAYERS else 0
        shares = [SPARSE] * first + [0.0] * (layers - first)
    if not all(0 <= share < 1 for share in shares):
        raise parameters.error("has activation_sparsity_pattern that are not all from 0 to below 1")
    return [NormalDist().inv_cdf(share) if share else None for share in shares]


IN_GGUF = FormatTable(
    ("gemma3n",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_POST_NORMS,
        **names.GGUF_PER_LAYER,
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
    },
    GGUF.extended(
        tensors={r"(v|a|mm)\..*": SENSES, r"blk\.\d+\.attn_(k|v|k_norm)\.weight": SHARED_KEYS},
        settings={r"(vision|audio|mm)\..*": SENSES},
    ),
)
IN_FOLDERS = FormatTable(
    ("gemma3n", "gemma3n_text"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_GEMMA_NORMS,
        **names.HUGGING_FACE_PER_LAYER,
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
    },
    Leftovers(
        {
            **FOLDER_LEFTOVERS.tensors,
            r".*\.altup\.correct_output_scale": "of models that use it, which a setting tells",
        },
        {**FOLDER_LEFTOVERS.settings, r"altup_coef_clip": "of training"},
        config_json.LEFTOVERS.neutral,
    ),
)
FAMILY = Family("gemma3n", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

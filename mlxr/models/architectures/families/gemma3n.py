"""Gemma 3n (Google 2025): four streams that layers update by turns, a low-rank product beside attention, per-layer
embeddings, sparse gates in the first layers, and last layers that read the keys and values of earlier ones."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

from mlxr.metal.specs import Activation, MLPSpec, RopeStyle
from mlxr.models.architectures import alternating, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.gemma4 import FOLDER_LEFTOVERS, SHARED_KEYS
from mlxr.models.architectures.heads import require_all_turned
from mlxr.models.architectures.layer_kinds import all_but_every, kv_sources, listed_windows
from mlxr.models.architectures.leftovers import GGUF_LANGUAGE
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation
from mlxr.models.architectures.spec import MLP, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 5
"""Every so many-th layer sees everything where a file does not say."""
SPARSE_LAYERS, SPARSE = 10, 0.95
"""The first layers, and the share of their gates' outputs that do not count, where a file does not say."""
KEYED_LAYERS = 20
"""Layers with keys of their own, in GGUF files that do not say."""


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
    return replace(spec, alternating=alternating.alternating(parameters, weights, sizes))


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
        **alternating.GGUF_NAMES,
    },
    GGUF_LANGUAGE.extended(tensors={r"blk\.\d+\.attn_(k|v|k_norm)\.weight": SHARED_KEYS}),
)
IN_FOLDERS = FormatTable(
    ("gemma3n", "gemma3n_text"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_GEMMA_NORMS,
        **names.HUGGING_FACE_PER_LAYER,
        **alternating.FOLDER_NAMES,
    },
    FOLDER_LEFTOVERS.extended(
        tensors={r".*\.altup\.correct_output_scale": "of models that use it, which a setting tells"},
        settings={r"altup_coef_clip": "of training"},
    ),
)
FAMILY = Family("gemma3n", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

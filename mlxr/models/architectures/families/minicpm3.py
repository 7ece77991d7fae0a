"""MiniCPM3 (OpenBMB 2024): latent attention, perceptrons alone; embeddings, residuals and logits times numbers of their
own, which GGUF files leave to who reads them."""

from __future__ import annotations

import math
from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.latent_attention import latent_attention
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import long_rope_factors
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

EMBEDDING_SCALE, DEPTH_SCALE, BASE_WIDTH = 12.0, 1.4, 256.0
"""MiniCPM3-4B's, the only model that there is."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, usual_heads=False)
    require_activation(parameters, "silu")
    factors = None
    if parameters.format is Format.GGUF:
        dims = parameters.positive("rope.dimension_count", most=MAX_HEAD_DIM)
        factors = long_rope_factors(parameters, weights, dims, sizes.context_length)
    # What every layer adds is the same share of what it should be: the embedding is made as much larger.
    residual = parameters.positive_number("scale_depth", DEPTH_SCALE) / math.sqrt(sizes.layers)
    sizes = replace(sizes, norm_eps=sizes.norm_eps / residual**2)
    attention = latent_attention(parameters, sizes, RopeStyle.NEOX, factors)
    spec = sizes.decoder(
        [LayerSpec(attention, sizes.mlp(Activation.SILU))] * sizes.layers,
        parameters.positive_number("scale_emb", EMBEDDING_SCALE) / residual,
    )
    return replace(spec, logit_scale=parameters.positive_number("dim_model_base", BASE_WIDTH) / sizes.width)


IN_GGUF = FormatTable(("minicpm3",), {**names.GGUF, **names.GGUF_LATENT_ATTENTION}, GGUF)
IN_FOLDERS = FormatTable(
    ("minicpm3",),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_LATENT_ATTENTION},
    config_json.LEFTOVERS.extended(settings={r"(qk_)?head_dim": "follows from the parts of a head"}),
)
FAMILY = Family("minicpm3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

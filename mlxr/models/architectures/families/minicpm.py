"""MiniCPM 1, 2 and 4 (OpenBMB 2024, 2025): Llama's shape, with embeddings, residuals and logits multiplied as MiniCPM3
has them. Models that choose blocks of what they read (InfLLM v2) have the context within which they read everything."""

from __future__ import annotations

import math
from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.minicpm3 import BASE_WIDTH, DEPTH_SCALE, EMBEDDING_SCALE
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import long_rope_factors, model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

ALWAYS = -1
SPARSE = "which blocks attention chooses beyond the context within which it reads everything"


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    if any(key.startswith("sparse_config.") for key in parameters.values):
        if parameters.integer("sparse_config.dense_len") == ALWAYS:
            reason = "chooses blocks of all that it reads ('sparse_config.dense_len' is -1), which mlxr does not know"
            raise UnsupportedModelError(parameters.path, reason)
        whole = parameters.positive("sparse_config.dense_len")
        sizes = replace(sizes, context_length=min(sizes.context_length, whole))
    factors = None
    if parameters.format is Format.GGUF:
        factors = long_rope_factors(parameters, weights, sizes.rope_dims, sizes.context_length)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL, factors)
    # What every layer adds is the same share of what it should be: the embedding is made as much larger.
    embedding, residual, logits = _scales(parameters, sizes)
    sizes = replace(sizes, norm_eps=sizes.norm_eps / residual**2)
    layer = LayerSpec(sizes.attention(rope, scale_of(parameters, sizes.head_dim)), sizes.mlp(Activation.SILU))
    return replace(sizes.decoder([layer] * sizes.layers, embedding / residual), logit_scale=logits)


def _scales(parameters: Hyperparameters, sizes: Sizes) -> tuple[float, float, float]:
    """Returns what embeddings, residuals and logits are multiplied by. Older GGUF files do not say."""
    depth = math.sqrt(sizes.layers)
    if parameters.format is Format.GGUF:
        return (
            parameters.positive_number("embedding_scale", EMBEDDING_SCALE),
            parameters.positive_number("residual_scale", DEPTH_SCALE / depth),
            1 / parameters.positive_number("logit_scale", sizes.width / BASE_WIDTH),
        )
    return (
        parameters.positive_number("scale_emb", 1.0),
        parameters.positive_number("scale_depth", 1.0) / depth,
        parameters.positive_number("dim_model_base", 1.0) / sizes.width,
    )


IN_GGUF = FormatTable(("minicpm",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(
    ("minicpm",),
    names.HUGGING_FACE,
    config_json.LEFTOVERS.extended(settings={r"mup_denominator": "of training", r"sparse_config\..*": SPARSE}),
)
FAMILY = Family(
    "minicpm",
    read,
    {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS},
    reordered=True,
    written=False,
)

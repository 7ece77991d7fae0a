"""Granite 3 (IBM 2024): Llama's shape, with embeddings, scores, residuals and logits multiplied.

What each half adds to the hidden state is multiplied by ``r``. A hidden state smaller by that says the same: embeddings
are divided by ``r``, and as RMS norms look at proportions alone, so is what they add to keep from dividing by zero, by
its square.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError
from mlxr.models.hyperparameters import Format, Hyperparameters

LEAST = 1e-6
"""What a residual's multiplier may be at least; published models have 0.2 and more."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    residual = parameters.positive_number("residual_scale", 1.0)
    if not LEAST <= residual <= 1 / LEAST:
        raise ModelFileError(parameters.path, f"multiplies residuals by {residual}, which leaves nothing of them")
    sizes = replace(sizes, norm_eps=sizes.norm_eps / residual**2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    spec = sizes.decoder(
        [LayerSpec(attention, sizes.mlp(Activation.SILU))] * sizes.layers,
        parameters.positive_number("embedding_scale", 1.0) / residual,
    )
    return replace(spec, logit_scale=1.0 / parameters.positive_number("logit_scale", 1.0))


IN_GGUF = FormatTable(("granite",), names.GGUF, GGUF)
IN_FOLDERS = FormatTable(("granite",), names.HUGGING_FACE, config_json.LEFTOVERS)
FAMILY = Family(
    "granite", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, reordered=True
)

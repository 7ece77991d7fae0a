"""Granite 3 (IBM 2024): Llama's shape, with embeddings, scores, residuals and logits multiplied.

What each half adds to the hidden state is multiplied by ``r``. A hidden state smaller by that says the same: embeddings
are divided by ``r``, and as RMS norms look at proportions alone, so is what they add to keep from dividing by zero, by
its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

LEAST = 1e-6
"""What a residual's multiplier may be at least; published models have 0.2 and more."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = sizes_of(parameters)
    return decoder(parameters, sizes, sizes.mlp(Activation.SILU))


def sizes_of(parameters: Hyperparameters, experts: bool = False) -> Sizes:
    """Returns the sizes, for hidden states that are smaller by the residuals' multiplier."""
    sizes = Sizes.read(parameters, experts=experts)
    require_activation(parameters, "silu")
    return replace(sizes, norm_eps=sizes.norm_eps / residual(parameters) ** 2)


def decoder(parameters: Hyperparameters, sizes: Sizes, half: FeedForward) -> DecoderSpec:
    """Returns the model with ``half`` as every layer's feed-forward."""
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    return scaled(parameters, sizes, [LayerSpec(attention, half)] * sizes.layers)


def scaled(parameters: Hyperparameters, sizes: Sizes, layers: Sequence[LayerSpec]) -> DecoderSpec:
    """Returns the model of those layers, with Granite's multipliers around them."""
    embedding_scale = parameters.positive_number("embedding_scale", 1.0) / residual(parameters)
    spec = sizes.decoder(layers, embedding_scale)
    return replace(spec, logit_scale=1.0 / logits_divided_by(parameters))


def logits_divided_by(parameters: Hyperparameters) -> float:
    """Granite's logits are divided by what other families' files multiply them by."""
    return parameters.positive_number("logit_scale" if parameters.format is Format.GGUF else "logits_scaling", 1.0)


def residual(parameters: Hyperparameters) -> float:
    """Returns what each half adds is multiplied by."""
    factor = parameters.positive_number("residual_scale", 1.0)
    if not LEAST <= factor <= 1 / LEAST:
        raise parameters.error(f"multiplies residuals by {factor}, which leaves nothing of them")
    return factor


NOTES = GGUF.extended(
    settings={
        r"ssm\..*": "of Mamba-2 layers, of which a Granite 4 of this kind has none",
        r"expert_shared_feed_forward_length": "of mixtures of experts",
    }
)
IN_GGUF = FormatTable(("granite",), names.GGUF, NOTES)
IN_FOLDERS = FormatTable(("granite",), names.HUGGING_FACE, config_json.LEFTOVERS)
FAMILY = Family(
    "granite", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, reordered=True
)

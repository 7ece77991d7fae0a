"""Gemma 2 (Gemma Team 2024): norms before and after each half, capped scores and logits, every other layer a window.

GGUF's norm weights have Gemma's ``1 +`` in them.
"""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import all_but_every, sliding_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

LAYERS_27B = 46
SCORES, LOGITS = 50.0, 30.0
"""What they are capped at where a file does not say."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=256)
    require_activation(parameters, "gelu_pytorch_tanh", key="hidden_activation")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    scale = scale_of(parameters, scaled_by(parameters, sizes, LAYERS_27B))
    softcap = parameters.number("attn_logit_softcapping", SCORES)
    window = parameters.positive("attention.sliding_window")
    slides = sliding_layers(parameters, sizes.layers) or all_but_every(2, sizes.layers)
    mlp, norms = sizes.mlp(Activation.GELU_TANH), Norms(after=True)
    layers = [LayerSpec(sizes.attention(rope, scale, window if slide else 0, softcap), mlp, norms) for slide in slides]
    return sizes.decoder(layers, sizes.width**0.5, parameters.number("final_logit_softcapping", LOGITS))


def scaled_by(parameters: Hyperparameters, sizes: Sizes, layers_27b: int) -> float:
    """Returns the size by whose root scores are divided, in Gemma 2 and 3. The 27B models alone scale queries by their
    width a head, which GGUF files do not say but by the number of layers."""
    if parameters.format is not Format.GGUF:
        return parameters.positive_number("query_pre_attn_scalar", 256.0)
    return sizes.width // sizes.heads if sizes.layers == layers_27b else sizes.head_dim


IN_GGUF = FormatTable(
    ("gemma2",),
    {
        **names.GGUF,
        **names.GGUF_POST_NORMS,
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("gemma2",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_GEMMA_NORMS,
    },
    config_json.LEFTOVERS,
    norm_offset=1.0,
)
FAMILY = Family("gemma2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

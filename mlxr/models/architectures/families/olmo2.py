"""OLMo 2 and OLMo 3 (Ai2 2024, 2025): norms behind each half alone and on queries and keys of all heads together;
OLMo 3 has windows, whose rope is not stretched."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import patterned_windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope, plain_rope
from mlxr.models.architectures.rope_config import rope_base
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer sees everything."""

BASE = 500_000.0
NORMS = Norms(before=False, after=True, together=True)


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    whole = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, None, BASE, "full_attention")
    near = plain_rope(sizes.rope_dims, _near_base(parameters))
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(near if window else whole, scale, window), mlp, NORMS)
            for window in patterned_windows(parameters, sizes, PATTERN)
        ]
    )


def _near_base(parameters: Hyperparameters) -> float:
    if parameters.format is not Format.GGUF:
        return rope_base(parameters, BASE, "sliding_attention")
    return parameters.positive_number("rope.freq_base_swa", parameters.positive_number("rope.freq_base", BASE))


IN_GGUF = FormatTable(("olmo2",), {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_POST_NORMS}, GGUF)
IN_FOLDERS = FormatTable(
    ("olmo2", "olmo3"),
    {**names.HUGGING_FACE, **names.HUGGING_FACE_HEAD_NORMS, **names.HUGGING_FACE_GEMMA_NORMS},
    config_json.LEFTOVERS,
)
FAMILY = Family("olmo2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

"""OLMoE (Ai2 2024): experts, and norms on queries and keys of all heads together."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    experts = sizes.experts(parameters, Activation.SILU, normalized=False, hidden=sizes.hidden)
    return sizes.decoder([LayerSpec(attention, experts, Norms(together=True))] * sizes.layers)


IN_GGUF = FormatTable(("olmoe",), {**names.GGUF, **names.GGUF_HEAD_NORMS, **names.GGUF_EXPERTS}, GGUF)
IN_FOLDERS = FormatTable(
    ("olmoe",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_EXPERTS,
        **names.MLX_EXPERTS,
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("olmoe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

"""Qwen3 (Yang et al. 2025): Llama's shape with norms on every query and key head."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    scale, mlp, norms = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU), Norms(heads=True)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope, scale, window), mlp, norms)
            for window in windows(parameters, sizes, used=False)
        ]
    )


IN_GGUF = FormatTable(("qwen3",), {**names.GGUF, **names.GGUF_HEAD_NORMS}, GGUF)
IN_FOLDERS = FormatTable(("qwen3",), {**names.HUGGING_FACE, **names.HUGGING_FACE_HEAD_NORMS}, config_json.LEFTOVERS)
FAMILY = Family("qwen3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

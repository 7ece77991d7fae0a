"""Phi-3, Phi-3.5 and Phi-4 (Abdin et al. 2024): Llama's shape; queries, keys and values lie above one another, and
so do gate and up; long contexts by LongRoPE (Ding et al. 2024)."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import long_rope_factors, model_rope
from mlxr.models.architectures.rope_config import long_rope_magnitude
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    rope = _rope(parameters, weights, sizes, partial_rope(parameters, sizes))
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    return sizes.decoder(
        [LayerSpec(sizes.attention(rope, scale, window), mlp) for window in windows(parameters, sizes)]
    )


def _rope(parameters: Hyperparameters, weights: Weights, sizes: Sizes, dims: int) -> Rope:
    """Which of LongRoPE's two scalings holds follows from the model's context, as in llama.cpp: keys in the cache can't
    be turned anew once a sequence outgrows the original one."""
    if parameters.format is not Format.GGUF:
        return model_rope(parameters, dims, RopeStyle.NEOX)
    original = parameters.positive("rope.scaling.original_context_length", sizes.context_length)
    factors = long_rope_factors(parameters, weights, dims, sizes.context_length)
    rope = model_rope(parameters, dims, RopeStyle.NEOX, factors)
    if factors is None or sizes.context_length <= original or "rope.scaling.attn_factor" in parameters:
        return rope
    return replace(rope, magnitude=long_rope_magnitude(parameters, sizes.context_length, original))


IN_GGUF = FormatTable(
    ("phi3",),
    {**names.GGUF, **names.GGUF_QKV, "gate_up": "blk.{layer}.ffn_up.weight"},
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("phi3",),
    {
        **names.HUGGING_FACE,
        "query_key_value": "model.layers.{layer}.self_attn.qkv_proj.weight",
        "gate_up": "model.layers.{layer}.mlp.gate_up_proj.weight",
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("phi3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

"""Gemma 3 text models (Gemma Team 2025).

Norms before and after each half, norms on queries and keys, GELU-gated MLP, and five layers with a sliding window for
each one that sees everything. GGUF's norm weights have Gemma's ``1 +`` in them.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, AttentionSpec, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.encoder_sizes import half_window
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.gemma2 import scaled_by
from mlxr.models.architectures.heads import require_all_turned
from mlxr.models.architectures.layer_kinds import all_but_every, sliding_layers
from mlxr.models.architectures.leftovers import GGUF_LANGUAGE
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

LAYERS_27B = 62
PATTERN = 6
"""Every so many-th layer sees everything."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec | EncoderSpec:
    spec = causal(parameters)
    return bidirectional(spec) if parameters.flag("use_bidirectional_attention", False) else spec


def causal(parameters: Hyperparameters) -> DecoderSpec:
    """Returns the model whose tokens see those before them."""
    sizes = Sizes.read(parameters, head_dim=256)
    require_activation(parameters, "gelu_pytorch_tanh", key="hidden_activation")
    dims = sizes.rope_dims
    require_all_turned(parameters, sizes.head_dim, dims)
    whole = model_rope(parameters, dims, RopeStyle.NEOX, None, 1_000_000.0, "full_attention")
    near = window_rope(parameters, dims, 10000.0)
    window = parameters.positive("attention.sliding_window")
    scale = scale_of(parameters, scaled_by(parameters, sizes, LAYERS_27B))
    kinds = {False: sizes.attention(whole, scale), True: sizes.attention(near, scale, window)}
    mlp, norms = sizes.mlp(Activation.GELU_TANH), Norms(after=True, heads=True)
    layers = [LayerSpec(kinds[slides], mlp, norms) for slides in _slides(parameters, sizes.layers)]
    return sizes.decoder(layers, sizes.width**0.5, parameters.number("final_logit_softcapping", 0.0))


def bidirectional(spec: DecoderSpec) -> EncoderSpec:
    """Returns the model of the same layers whose tokens see what is behind them, too (EmbeddingGemma, Google 2025)."""
    layers = []
    for layer in spec.layers:
        assert isinstance(layer.mixer, AttentionSpec)
        window = half_window(layer.mixer.window) if layer.mixer.window else 0
        layers.append(replace(layer, mixer=replace(layer.mixer, causal=False, window=window)))
    return EncoderSpec(
        width=spec.width,
        context_length=spec.context_length,
        layers=tuple(layers),
        norm_eps=spec.norm_eps,
        embedding_scale=spec.embedding_scale,
        embedding_norm=False,
        final_norm=NormKind.RMS,
    )


def _slides(parameters: Hyperparameters, layers: int) -> list[bool]:
    pattern = parameters.positive("attention.sliding_window_pattern", PATTERN)
    return sliding_layers(parameters, layers) or all_but_every(pattern, layers)


IN_GGUF = FormatTable(
    ("gemma3",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_POST_NORMS,
    },
    GGUF_LANGUAGE.extended(neutral={"rope.local.freq_base": (10000,), "rope.global.freq_base": (1000000,)}),
)
IN_FOLDERS = FormatTable(
    ("gemma3_text", "gemma3"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_GEMMA_NORMS,
    },
    config_json.LANGUAGE_LEFTOVERS,
    norm_offset=1.0,
    defaults={"num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 131072},
)
FAMILY = Family("gemma3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

"""ModernBERT (Warner et al. 2024): layer norms before the halves but for the first, rotary positions of two bases, a
window that reaches both ways in two layers of three, a gated GELU, and no biases."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import NormKind, RopeStyle
from mlxr.models.architectures.encoder_sizes import EncoderSizes, activation_of, half_window, require_settings
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import all_but_first_of, sliding_layers
from mlxr.models.architectures.leftovers import GGUF_ENCODER, Leftovers
from mlxr.models.architectures.rope import model_rope, window_rope
from mlxr.models.architectures.spec import EncoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 3
"""Every so many-th layer sees everything, beginning with the first."""

GLOBAL_BASE, LOCAL_BASE = 160000.0, 10000.0


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    require_settings(parameters, {"norm_bias": False, "attention_bias": False, "mlp_bias": False})
    sizes = EncoderSizes.read(parameters, norm_eps=1e-5)
    dims = sizes.head_dim
    whole = model_rope(parameters, dims, RopeStyle.NEOX, None, GLOBAL_BASE, "full_attention")
    near = window_rope(parameters, dims, LOCAL_BASE)
    window = half_window(parameters.positive("attention.sliding_window", 128))
    kinds = {
        False: sizes.attention(whole, norm=NormKind.LAYER),
        True: sizes.attention(near, window, norm=NormKind.LAYER),
    }
    mlp = sizes.mlp(activation_of(parameters), gated=True, norm=NormKind.LAYER)
    slides = _slides(parameters, sizes.layers)
    layers = [LayerSpec(kinds[slide], mlp, Norms(mixer=number > 0)) for number, slide in enumerate(slides)]
    return replace(sizes.encoder(layers), final_norm=NormKind.LAYER)


def _slides(parameters: Hyperparameters, layers: int) -> list[bool]:
    pattern = parameters.positive("attention.sliding_window_pattern", PATTERN)
    return sliding_layers(parameters, layers) or all_but_first_of(pattern, layers)


IN_GGUF = FormatTable(
    ("modern-bert",),
    {
        "embedding": "token_embd.weight",
        "embedding_norm": "token_embd_norm.weight",
        "norm": "output_norm.weight",
        "attention_norm": "blk.{layer}.attn_norm.weight",
        "query_key_value": "blk.{layer}.attn_qkv.weight",
        "output": "blk.{layer}.attn_output.weight",
        "feed_forward_norm": "blk.{layer}.ffn_norm.weight",
        "gate_up": "blk.{layer}.ffn_up.weight",
        "down": "blk.{layer}.ffn_down.weight",
    },
    GGUF_ENCODER,
)
IN_FOLDERS = FormatTable(
    ("modernbert",),
    {
        "embedding": "embeddings.tok_embeddings.weight",
        "embedding_norm": "embeddings.norm.weight",
        "norm": "final_norm.weight",
        "attention_norm": "layers.{layer}.attn_norm.weight",
        "query_key_value": "layers.{layer}.attn.Wqkv.weight",
        "output": "layers.{layer}.attn.Wo.weight",
        "feed_forward_norm": "layers.{layer}.mlp_norm.weight",
        "gate_up": "layers.{layer}.mlp.Wi.weight",
        "down": "layers.{layer}.mlp.Wo.weight",
    },
    Leftovers({r"(head|decoder)\..*": "the head of the pre-training, after the hidden states"}),
    keys={
        "norm_eps": "layer_norm_eps",
        "global_rope_theta": "rope_theta",
        "local_rope_theta": "rope_local_base_freq",
        "local_attention": "sliding_window",
        "global_attn_every_n_layers": "sliding_window_pattern",
        "hidden_activation": "hidden_act",
    },
    renamed={r"^model\.": ""},
    classifiers=((("head.dense", "gelu"), ("head.norm", "norm"), ("classifier", "identity")),),
)
FAMILY = Family("modern-bert", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS}, encoder=True)

"""LFM3 (Liquid AI 2026): LFM2's short convolutions, now between windows and layers that see everything, each kind of
attention with a rope of its own; a gate on every head, and norms on both sides of each half."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, AttentionSpec, Gate, Rope, RopeStyle
from mlxr.models.architectures import names, short_convolutions
from mlxr.models.architectures.families import lfm2
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import listed_layers
from mlxr.models.architectures.rope import model_rope, plain_rope
from mlxr.models.architectures.rope_frequencies import made_rope, proportional
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import ATTENTION_BIASES, DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

TAPS, WINDOW = 7, 256
BASE, NEAR_BASE, SHARE = 1_000_000.0, 10_000.0, 0.5
"""Of folders that do not say: ``SHARE`` is how much of a head the rope turns in layers that see everything."""

CONV, WHOLE, NEAR = "conv", "full_attention", "sliding_attention"


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=128)
    require_activation(parameters, "silu")
    tied = parameters.flag("tie_word_embeddings", True)
    sizes = replace(sizes, norm_eps=parameters.epsilon("norm_eps", 1e-5), tied=tied)
    norms = Norms(after=parameters.flag("use_sandwich_norm", True))
    convolution = short_convolutions.short_convolution(parameters, sizes, TAPS)
    attention = {WHOLE: _attention(parameters, sizes, WHOLE), NEAR: _attention(parameters, sizes, NEAR)}
    conv_biases = short_convolutions.biases(parameters)
    biases = ATTENTION_BIASES if parameters.flag("attention_bias", False) else frozenset()
    mlp = sizes.mlp(Activation.SILU)
    return sizes.decoder(
        [
            LayerSpec(convolution, mlp, norms, conv_biases)
            if kind == CONV
            else LayerSpec(attention[kind], mlp, replace(norms, heads=True), biases)
            for kind in _kinds(parameters, sizes.layers)
        ]
    )


def _attention(parameters: Hyperparameters, sizes: Sizes, kind: str) -> AttentionSpec:
    window = parameters.positive("attention.sliding_window", WINDOW) if kind == NEAR else 0
    spec = sizes.attention(_rope(parameters, sizes.rope_dims, kind), scale_of(parameters, sizes.head_dim), window)
    gates = parameters.flag("use_attention_gate", True)
    return replace(spec, gate=Gate.SIGMOID, head_gates=True) if gates else spec


def _rope(parameters: Hyperparameters, dims: int, kind: str) -> Rope:
    if f"rope_parameters.{kind}.rope_type" in parameters:
        return model_rope(parameters, dims, RopeStyle.NEOX, None, BASE if kind == WHOLE else NEAR_BASE, kind)
    return plain_rope(dims, NEAR_BASE) if kind == NEAR else made_rope(RopeStyle.NEOX, proportional(dims, BASE, SHARE))


def _kinds(parameters: Hyperparameters, layers: int) -> list[str]:
    known = {kind: kind for kind in (CONV, WHOLE, NEAR)}
    listed = listed_layers(parameters, parameters.texts("layer_types"), layers, known)
    usual = {0: NEAR, 2: WHOLE}
    return listed or [usual.get(layer % 4, CONV) if layer else CONV for layer in range(layers)]


LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("lfm3",),
    {
        **lfm2.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        **names.HUGGING_FACE_HEAD_NORMS,
        "attention_post_norm": f"{LAYER}.post_operator_norm.weight",
        "feed_forward_post_norm": f"{LAYER}.post_ffn_norm.weight",
        "output": f"{LAYER}.self_attn.o_proj.weight",
        "output_bias": f"{LAYER}.self_attn.o_proj.bias",
        "attention_gate": f"{LAYER}.self_attn.gate_proj.weight",
    },
    lfm2.NOTES,
    renamed={r"\.self_attn\.g_proj\.": ".self_attn.gate_proj."},
)
FAMILY = Family("lfm3", read, {Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS}, written=False)

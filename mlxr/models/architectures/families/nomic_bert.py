"""Nomic BERT (Nussbaum et al. 2024, "Nomic Embed"): BERT with rotary positions, gated SiLU and no biases. The second
version (2025) has biases, plain GELU, and a mixture of experts in every other layer.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, ExpertsSpec, RopeStyle
from mlxr.models.architectures import encoder_names, names
from mlxr.models.architectures.encoder_sizes import EncoderSizes, activation_of, require_settings, segments_of
from mlxr.models.architectures.families.bert import CLASSIFIER
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import FOLDER_ENCODER, GGUF_ENCODER
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import expert_counts
from mlxr.models.architectures.spec import EncoderSpec, Experts, FeedForward, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

NORMS = Norms(before=False, residual=True)
TRAINED_POSITIONS = 2048
"""Beyond these the published code stretches the rope as an input grows, which mlxr does not."""

USUAL = {
    "prenorm": False,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "causal": False,
    "parallel_block": False,
    "use_rms_norm": False,
}
"""What the published code's settings are in the published models."""


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    require_settings(parameters, USUAL)
    sizes = EncoderSizes.read(parameters)
    rope = model_rope(parameters, sizes.head_dim, RopeStyle.NEOX, default_base=1000.0)
    every = parameters.integer("moe_every_n_layers", 0)
    dense: FeedForward
    if every:
        dense = sizes.mlp(Activation.GELU, gated=False)
    else:
        require_settings(parameters, {"activation_function": "swiglu"})
        dense = sizes.mlp(activation_of(parameters, "silu"), gated=True)
    mixer = sizes.attention(rope)
    layers = [
        LayerSpec(mixer, _experts(parameters, sizes) if every and number % every == 1 else dense, NORMS)
        for number in range(sizes.layers)
    ]
    segments = segments_of(parameters, weights, 2, encoder_names.GGUF_ENCODER["segments"])
    if parameters.format is not Format.GGUF:
        trained = parameters.positive("max_trained_positions", TRAINED_POSITIONS)
        sizes = replace(sizes, context_length=min(sizes.context_length, trained))
    return sizes.encoder(layers, segments)


def _experts(parameters: Hyperparameters, sizes: EncoderSizes) -> Experts:
    if parameters.format is not Format.GGUF:
        reason = "has experts, which mlxr runs from a GGUF file; convert the folder to one"
        raise UnsupportedModelError(parameters.path, reason)
    count, used = expert_counts(parameters)
    spec = ExpertsSpec(Activation.GELU, count, used, sizes.norm_eps, normalized=False)
    return Experts(sizes.hidden, spec, gated=False)


IN_GGUF = FormatTable(
    ("nomic-bert", "nomic-bert-moe"),
    {
        **encoder_names.GGUF_ENCODER,
        "gate": "blk.{layer}.ffn_gate.weight",
        "router": "blk.{layer}.ffn_gate_inp.weight",
        "experts_up": "blk.{layer}.ffn_up_exps.weight",
        "experts_down": "blk.{layer}.ffn_down_exps.weight",
    },
    GGUF_ENCODER,
)
IN_FOLDERS = FormatTable(
    ("nomic_bert",),
    {**encoder_names.HUGGING_FACE_ROTARY_BERT, **names.perceptron("layers.{layer}.mlp")},
    FOLDER_ENCODER,
    keys=encoder_names.FLASH_ATTENTION_SETTINGS,
    renamed={
        r"^(bert|nomic_bert)\.": "",
        **encoder_names.FLASH_ATTENTION,
        r"\.mlp\.fc11\.": ".mlp.up_proj.",
        r"\.mlp\.fc12\.": ".mlp.gate_proj.",
        r"\.mlp\.fc2\.": ".mlp.down_proj.",
    },
    classifiers=(CLASSIFIER,),
)
FAMILY = Family("nomic-bert", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS}, encoder=True)

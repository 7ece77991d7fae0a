"""Gemma 4 (Google 2026): Gemma 3's norms, layers that see everything with longer heads than those with a window, normed
values, and a factor on each layer's output.

The small models look up per-layer embeddings, and their last layers read the keys and values of earlier ones; in the
large ones values are keys in layers that see everything; 26B-A4B has a mixture of experts beside each perceptron.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, MLPSpec, PerLayerInputSpec
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.gemma4_attention import attentions_of
from mlxr.models.architectures.leftovers import GGUF_LANGUAGE
from mlxr.models.architectures.per_layer import per_layer_embedding
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation, routed_experts
from mlxr.models.architectures.spec import MLP, DecoderSpec, Experts, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

ACTIVATION = Activation.GELU_TANH


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    if parameters.values.get("use_bidirectional_attention") == "all":
        raise UnsupportedModelError(parameters.path, "lets tokens see those behind them; mlxr's decoders do not")
    require_activation(parameters, "gelu_pytorch_tanh", key="hidden_activation")
    sizes = Sizes.read(parameters, experts=True, usual_heads=False, usual_hidden=False)
    attentions = attentions_of(parameters, weights, sizes)
    hidden = parameters.positives("feed_forward_length", sizes.layers, most=MAX_HIDDEN)
    double = parameters.flag("use_double_wide_mlp", False)
    further = per_layer_embedding(parameters, sizes)
    experts = _experts(parameters, sizes)
    layers = []
    for attention, own in zip(attentions, hidden, strict=True):
        wide = own * 2 if double and attention.kv_layer is not None else own
        perceptron = MLP(wide, MLPSpec(ACTIVATION, sizes.norm_eps))
        half = perceptron if experts is None else replace(experts, shared_hidden=wide)
        added = None if further is None else PerLayerInputSpec(ACTIVATION, sizes.norm_eps)
        layers.append(LayerSpec(attention, half, Norms(after=True, heads=True), per_layer=added))
    spec = sizes.decoder(layers, sizes.width**0.5, parameters.number("final_logit_softcapping", 0.0))
    return replace(spec, per_layer=further)


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts | None:
    in_gguf = parameters.format is Format.GGUF
    if not (routed_experts(parameters) if in_gguf else parameters.flag("enable_moe_block", False)):
        return None
    return replace(sizes.experts(parameters, ACTIVATION, normalized=True), own_norms=True)


SHARED_KEYS = "they are of layers that read the keys and values of earlier ones"
"""Files may keep projections that such layers had in training."""

IN_GGUF = FormatTable(
    ("gemma4",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_POST_NORMS,
        **names.GGUF_PER_LAYER,
        "output_scale": "blk.{layer}.layer_output_scale.weight",
        **names.GGUF_NORMED_EXPERTS,
    },
    GGUF_LANGUAGE.extended(
        tensors={
            r"blk\.\d+\.attn_(k|v|k_norm)\.weight": SHARED_KEYS,
            r"rope_freqs\.weight": "of layers that see everything",
        },
    ),
)
_NAMES_IN_FOLDERS: Names = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_HEAD_NORMS,
    **names.HUGGING_FACE_GEMMA_NORMS,
    **names.HUGGING_FACE_PER_LAYER,
    "output_scale": "model.layers.{layer}.layer_scalar",
    **names.HUGGING_FACE_NORMED_EXPERTS,
}
FOLDER_LEFTOVERS = config_json.LANGUAGE_LEFTOVERS.extended(
    tensors={
        r"model\.layers\.\d+\.self_attn\.[kv]_(proj|norm)\..*": SHARED_KEYS,
    },
    settings={
        r"vocab_size_per_layer_input": "the table tells",
        r"num_(local_)?experts(_per_tok)?|moe_intermediate_size": "of experts, asked where they are in use",
    },
    neutral={"rope_parameters.sliding_attention.partial_rotary_factor": (1.0,)},
)
IN_FOLDERS = FormatTable(
    ("gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"),
    _NAMES_IN_FOLDERS,
    FOLDER_LEFTOVERS,
    keys={"top_k_experts": "num_experts_per_tok"},
)
FAMILY = Family("gemma4", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})

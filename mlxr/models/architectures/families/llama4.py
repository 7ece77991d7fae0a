"""Llama 4's language models (Meta 2025): attention of two kinds, of which one has norms without weights on heads
(``llama4_attention.py``); mixtures of experts in some layers or all, where a token's weight of an expert multiplies
what the expert gets."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.llama4_attention import attentions_of, turns_of
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec, Experts, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

MAVERICK = 128
"""Experts of the model whose heads have no norms, which GGUF files do not say either."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    experts = _experts(parameters, sizes)
    # Folders use the usual name for an expert's width.
    folder = parameters.format is not Format.GGUF
    hidden = parameters.positive("intermediate_size_mlp", sizes.hidden, MAX_HIDDEN) if folder else sizes.hidden
    dense = replace(sizes.mlp(Activation.SILU), hidden=hidden)
    turns, sparse = turns_of(parameters, sizes.layers), _sparse(parameters, sizes.layers)
    attentions = attentions_of(parameters, weights, sizes)
    normed = Norms(heads=_normed(parameters, experts), weighted=False)
    return sizes.decoder(
        [
            LayerSpec(attentions[turn], experts if has else dense, normed if turn else Norms())
            for turn, has in zip(turns, sparse, strict=True)
        ]
    )


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    experts = sizes.experts(parameters, Activation.SILU, normalized=False, hidden=sizes.hidden)
    spec = replace(experts.spec, sigmoid=True, normalized=False, weighs_inputs=True)
    return replace(experts, spec=spec, shared_hidden=experts.hidden)


def _normed(parameters: Hyperparameters, experts: Experts) -> bool:
    if parameters.format is Format.GGUF:
        return experts.spec.experts != MAVERICK
    return parameters.flag("use_qk_norm", True)


def _sparse(parameters: Hyperparameters, layers: int) -> list[bool]:
    step = parameters.positive("interleave_moe_layer_step", 1)
    listed = parameters.integers("moe_layers")
    return [(layer + 1) % step == 0 if listed is None else layer in listed for layer in range(layers)]


LAYER = "model.layers.{layer}.feed_forward"
HUGGING_FACE = {
    **names.HUGGING_FACE,
    **names.perceptron(LAYER),
    "router": f"{LAYER}.router.weight",
    "experts_gate_up_turned": f"{LAYER}.experts.gate_up_proj",
    "experts_down_turned": f"{LAYER}.experts.down_proj",
    **names.shared_expert(f"{LAYER}.shared_expert"),
    **names.experts(f"{LAYER}.experts"),
}
KINDS = ("llama4_text", "llama4")
FAMILY = Family(
    "llama4",
    read,
    {
        Format.GGUF: FormatTable(("llama4",), {**names.GGUF, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT}, GGUF),
        Format.HUGGING_FACE: FormatTable(KINDS, HUGGING_FACE, config_json.LANGUAGE_LEFTOVERS),
        Format.MLX: FormatTable(KINDS, HUGGING_FACE, config_json.LANGUAGE_LEFTOVERS),
    },
)

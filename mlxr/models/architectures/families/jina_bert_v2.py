"""Jina's BERT (Günther et al. 2023, "Jina Embeddings 2"): ALiBi instead of positions, and a gated GELU."""

from __future__ import annotations

import math

from mlxr.metal.specs import Activation
from mlxr.models.architectures import encoder_names
from mlxr.models.architectures.encoder_sizes import EncoderSizes, require_settings, segments_of
from mlxr.models.architectures.families.bert import CLASSIFIER, RENAMED
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import FOLDER_ENCODER, GGUF_ENCODER
from mlxr.models.architectures.spec import EncoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

NORMS = Norms(before=False, residual=True)
BIASES = frozenset({"query_bias", "key_bias", "value_bias", "output_bias", "down_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    require_settings(parameters, {"feed_forward_type": "geglu", "position_embedding_type": "alibi"})
    sizes = EncoderSizes.read(parameters)
    mixer = sizes.attention(alibi=slopes(sizes.heads))
    layer = LayerSpec(mixer, sizes.mlp(Activation.GELU, gated=True), NORMS, BIASES)
    segments = segments_of(parameters, weights, 2, encoder_names.GGUF_ENCODER["segments"])
    return sizes.encoder([layer] * sizes.layers, segments)


def slopes(heads: int) -> tuple[float, ...]:
    """ALiBi's slopes (Press et al. 2022): powers of ``2 ** (-8 / n)``, n being the greatest power of 2 in ``heads``;
    the remaining heads have every other one of those of 2n heads."""
    whole = 1 << int(math.log2(heads))
    main = [2.0 ** (-8 * (head + 1) / whole) for head in range(whole)]
    return (*main, *(2.0 ** (-4 * (2 * head + 1) / whole) for head in range(heads - whole)))


IN_GGUF = FormatTable(
    ("jina-bert-v2",),
    {
        **encoder_names.GGUF_ENCODER,
        "gate": "blk.{layer}.ffn_gate.weight",
        "gate_up": "blk.{layer}.ffn_up.weight",
    },
    GGUF_ENCODER,
)
IN_FOLDERS = FormatTable(
    ("jina-bert-v2",),
    {
        **{
            role: name
            for role, name in encoder_names.HUGGING_FACE_BERT.items()
            if role not in ("positions", "up", "up_bias")
        },
        "gate_up": "encoder.layer.{layer}.mlp.gated_layers.weight",
        "down": "encoder.layer.{layer}.mlp.wo.weight",
        "down_bias": "encoder.layer.{layer}.mlp.wo.bias",
        "feed_forward_norm": "encoder.layer.{layer}.mlp.layernorm.weight",
        "feed_forward_norm_bias": "encoder.layer.{layer}.mlp.layernorm.bias",
    },
    FOLDER_ENCODER,
    renamed=RENAMED,
    classifiers=(CLASSIFIER,),
)
FAMILY = Family("jina-bert-v2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS}, encoder=True)

"""Jina embeddings 3 (Sturua et al. 2024): XLM-RoBERTa with rotary positions. What its tasks' adapters add is no part of
it."""

from __future__ import annotations

from mlxr.metal.specs import RopeStyle
from mlxr.models.architectures import encoder_names
from mlxr.models.architectures.encoder_sizes import EncoderSizes, activation_of, segments_of
from mlxr.models.architectures.families.bert import BIASES, ROBERTA_CLASSIFIER
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import FOLDER_ENCODER, GGUF_ENCODER
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.spec import EncoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

NORMS = Norms(before=False, residual=True)


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    sizes = EncoderSizes.read(parameters)
    rope = model_rope(parameters, sizes.head_dim, RopeStyle.NEOX, default_base=20000.0)
    mlp = sizes.mlp(activation_of(parameters), gated=False)
    layer = LayerSpec(sizes.attention(rope), mlp, NORMS, BIASES - {"query_bias", "key_bias", "value_bias"})
    segments = segments_of(parameters, weights, 1, encoder_names.GGUF_ENCODER["segments"])
    return sizes.encoder([layer] * sizes.layers, segments)


IN_GGUF = FormatTable(("jina-bert-v3",), encoder_names.GGUF_ENCODER, GGUF_ENCODER)
IN_FOLDERS = FormatTable(
    ("jina_embeddings_v3",),
    {
        **encoder_names.HUGGING_FACE_ROTARY_BERT,
        "up": "layers.{layer}.mlp.fc1.weight",
        "up_bias": "layers.{layer}.mlp.fc1.bias",
        "down": "layers.{layer}.mlp.fc2.weight",
        "down_bias": "layers.{layer}.mlp.fc2.bias",
    },
    FOLDER_ENCODER,
    defaults={"layer_norm_eps": 1e-5},
    renamed={r"^roberta\.": "", **encoder_names.FLASH_ATTENTION},
    classifiers=(ROBERTA_CLASSIFIER,),
)
FAMILY = Family("jina-bert-v3", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS}, encoder=True)

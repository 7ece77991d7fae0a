"""BERT encoders (Devlin et al. 2018) and RoBERTa's and XLM-RoBERTa's, which differ in where positions begin: embeddings
of sentences (Reimers and Gurevych 2019), and cross-encoders.

Learned positions, a layer norm after each half, attention over the whole input, a plain GELU MLP, biases everywhere.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.models.architectures import encoder_names
from mlxr.models.architectures.encoder_sizes import MAX_POSITIONS, EncoderSizes, activation_of, segments_of
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import FOLDER_ENCODER, GGUF_ENCODER
from mlxr.models.architectures.spec import EncoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

NORMS = Norms(before=False, residual=True)
BIASES = frozenset({"query_bias", "key_bias", "value_bias", "output_bias", "up_bias", "down_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    sizes = EncoderSizes.read(parameters)
    if parameters.text("position_embedding_type", "absolute") != "absolute":
        raise UnsupportedModelError(parameters.path, "has relative positions; mlxr knows absolute ones")
    first = _first_position(parameters)
    positions = parameters.positive("context_length", most=MAX_POSITIONS)
    if parameters.format is Format.GGUF:
        positions = weights.rows(encoder_names.GGUF_BERT["positions"], MAX_POSITIONS)
    if first >= positions:
        raise parameters.error(f"has {positions} positions, of which the first is number {first}")
    layer = LayerSpec(sizes.attention(), sizes.mlp(activation_of(parameters), gated=False), NORMS, BIASES)
    segments = segments_of(parameters, weights, 2, encoder_names.GGUF_BERT["segments"])
    spec = sizes.encoder([layer] * sizes.layers, segments)
    context = min(sizes.context_length, positions - first)
    return replace(spec, context_length=context, positions=positions, first_position=first)


def _first_position(parameters: Hyperparameters) -> int:
    """RoBERTa counts positions from the one behind that of its padding; GGUF files leave those before out."""
    if parameters.format is Format.GGUF or parameters.text("model_type", "bert") == "bert":
        return 0
    padding = parameters.integer("pad_token_id", 1)
    if not 0 <= padding < MAX_POSITIONS:
        raise parameters.error(f"pads with the token {padding}")
    return padding + 1


RENAMED = {r"^(bert|roberta)\.": "", r"\.gamma$": ".weight", r"\.beta$": ".bias"}
"""Models with a head have a name before the encoder's tensors; files of old have other names for norms."""

CLASSIFIER = (("pooler.dense", "tanh"), ("classifier", "identity"))
ROBERTA_CLASSIFIER = (("classifier.dense", "tanh"), ("classifier.out_proj", "identity"))
IN_FOLDERS = FormatTable(
    ("bert", "roberta", "xlm-roberta", "camembert"),
    encoder_names.HUGGING_FACE_BERT,
    FOLDER_ENCODER,
    renamed=RENAMED,
    classifiers=(CLASSIFIER, ROBERTA_CLASSIFIER),
)
IN_GGUF = FormatTable(("bert",), encoder_names.GGUF_BERT, GGUF_ENCODER)
FAMILY = Family("bert", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS}, encoder=True)

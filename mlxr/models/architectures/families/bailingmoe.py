"""The first Ling (Ant Group 2025) in GGUF files, which name it otherwise than Ling 2.0: rows of queries and keys are in
Llama's order there, experts' scores are a softmax, and heads have no norms."""

from __future__ import annotations

from mlxr.metal.specs import RopeStyle
from mlxr.models.architectures import names
from mlxr.models.architectures.families import bailing
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL)
    return bailing.decoder(parameters, sizes, rope, heads=False, sigmoid=False)


IN_GGUF = FormatTable(("bailingmoe",), {**names.GGUF, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT}, GGUF)
FAMILY = Family("bailingmoe", read, {Format.GGUF: IN_GGUF}, reordered=True)

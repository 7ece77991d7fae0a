"""EmbeddingGemma (Google 2025) from GGUF files: Gemma 3 whose tokens see what is behind them, too. Its folders are
Gemma 3's."""

from __future__ import annotations

from dataclasses import replace

from mlxr.models.architectures.families import gemma3
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF_ENCODER
from mlxr.models.architectures.spec import EncoderSpec
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    return gemma3.bidirectional(gemma3.causal(parameters))


IN_GGUF = replace(gemma3.IN_GGUF, architectures=("gemma-embedding",), leftovers=GGUF_ENCODER)
FAMILY = Family("gemma-embedding", read, {Format.GGUF: IN_GGUF}, encoder=True)

"""From a path to a model on a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from mlxr.metal.backend import Backend, Forward, Pool
from mlxr.metal.layout import Batch
from mlxr.metal.tensors import Tensor
from mlxr.models.architectures import bert, gemma3, llama
from mlxr.models.architectures.base import Model, PoolShape
from mlxr.models.architectures.weights import Progress, Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.gguf import GGUFFile
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.safetensors import ModelFolder
from mlxr.models.sentence_transformers import folder_parameters

GGUF_ARCHITECTURES: Mapping[str, type[Model]] = {
    "gemma3": gemma3.Model,
    "llama": llama.Model,
}
"""By ``general.architecture``."""

FOLDER_ARCHITECTURES: Mapping[str, type[Model]] = {
    "bert": bert.Model,
}
"""By ``model_type``."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run. ``nbytes``: what the backend holds of its weights. ``compiled``: its layers, as the backend
    runs them."""

    path: Path
    architecture: str
    model: Model
    nbytes: int
    compiled: Forward

    @property
    def pool(self) -> PoolShape | None:
        """What a token takes in the KV pool; None where nothing is kept (encoders)."""
        return self.model.shape.pool

    @property
    def context_length(self) -> int:
        return self.model.shape.context_length

    @property
    def vocab_size(self) -> int:
        return self.model.shape.vocab_size

    @property
    def width(self) -> int:
        """Numbers in a hidden state, and so in an embedding."""
        return self.model.shape.width

    @property
    def pooling(self) -> str:
        """How hidden states become an embedding: ``mean``, ``cls`` or ``last``."""
        return self.model.shape.pooling

    def forward(self, tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
        """Hidden states float32 ``[T, width]`` of ``tokens`` int32 ``[T]``; their keys and values go to the pool."""
        return self.compiled(tokens, batch, pool)

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        """Float32 ``[R, vocab_size]`` for the rows (int32 ``[R]``) of ``hidden``."""
        return self.model.logits(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        """What pooling takes: ``hidden`` after the final norm, ``[T, width]``."""
        return self.model.pooled_input(hidden)


def ignore_progress(stage: str, fraction: float) -> None:
    """For callers who only want the model."""


def load_model(path: str | Path, backend: Backend, progress: Progress = ignore_progress) -> LoadedModel:
    """Load a GGUF file, or a folder with ``config.json`` and ``*.safetensors``.

    Raises ``ModelError`` for what is wrong with it, ``OSError`` where it can't be opened.
    """
    path = Path(path)
    if path.is_dir():
        folder = ModelFolder.open(path)
        architecture = Hyperparameters(path, folder.config).text("model_type")
        return _build(architecture, FOLDER_ARCHITECTURES, folder_parameters(folder), folder.tensors, backend, progress)
    file = GGUFFile.open(path)
    architecture = Hyperparameters(path, file.metadata).text("general.architecture")
    parameters = Hyperparameters(path, file.metadata, f"{architecture}.")
    loaded = _build(architecture, GGUF_ARCHITECTURES, parameters, file.tensors, backend, progress)
    tokens = len(file.metadata.get("tokenizer.ggml.tokens", ()))
    if tokens > loaded.vocab_size:  # an id beyond the table would read whatever lies behind it
        raise ModelFileError(path, f"names {tokens} tokens, and its embedding has {loaded.vocab_size}")
    return loaded


def _build(
    architecture: str,
    known: Mapping[str, type[Model]],
    parameters: Hyperparameters,
    tensors: Mapping[str, Tensor],
    backend: Backend,
    progress: Progress,
) -> LoadedModel:
    path = parameters.path
    if architecture not in known:
        names = ", ".join(sorted(known))
        raise UnsupportedModelError(path, f"is of the architecture {architecture!r}; in this format mlxr runs {names}")
    weights = Weights(path, tensors, backend, progress)
    model = known[architecture](parameters, weights)
    return LoadedModel(path, architecture, model, weights.resident_bytes, backend.compiled(model.forward))

"""From a path to a model on a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxr.models.architectures import bert, gemma3, llama
from mlxr.models.architectures.base import Model, PoolShape
from mlxr.models.architectures.weights import HeaderWeights, Progress, Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.gguf import GGUFFile
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.modelfile import StoredTensor
from mlxr.models.safetensors import ModelFolder
from mlxr.models.sentence_transformers import folder_settings
from mlxr.models.vocabulary import folder_tokens

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import Backend, Forward
    from mlxr.metal.batch import Batch
    from mlxr.metal.pool import Pool

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
    description = _describe(Path(path))
    weights = Weights(description.path, description.tensors, backend, progress)
    # Everything the header claims is looked at before the first weight is read.
    _make(description, HeaderWeights(description.path, description.tensors))
    model = _make(description, weights)
    return LoadedModel(
        description.path, description.architecture, model, weights.resident_bytes, backend.compiled(model.forward)
    )


def check_model(path: str | Path) -> None:
    """Look whether ``load_model`` would take this, by its headers alone; raises as it does. Makes no use of MLX."""
    description = _describe(Path(path))
    _make(description, HeaderWeights(description.path, description.tensors))


@dataclass(frozen=True, slots=True)
class _Description:
    """A model as its headers have it. ``tokens``: how many its vocabulary names."""

    path: Path
    architecture: str
    kind: type[Model]
    values: Mapping[str, Any]
    prefix: str
    tensors: Mapping[str, StoredTensor]
    tokens: int


def _describe(path: Path) -> _Description:
    if path.is_dir():
        folder = ModelFolder.open(path)
        architecture = Hyperparameters(path, folder.config).text("model_type")
        kind = _kind(path, architecture, FOLDER_ARCHITECTURES)
        return _Description(path, architecture, kind, folder_settings(folder), "", folder.tensors, folder_tokens(path))
    file = GGUFFile.open(path)
    architecture = Hyperparameters(path, file.metadata).text("general.architecture")
    kind = _kind(path, architecture, GGUF_ARCHITECTURES)
    tokens = file.metadata.get("tokenizer.ggml.tokens", ())
    count = len(tokens) if isinstance(tokens, Sequence) else 0
    return _Description(path, architecture, kind, file.metadata, f"{architecture}.", file.tensors, count)


def _kind(path: Path, architecture: str, known: Mapping[str, type[Model]]) -> type[Model]:
    if architecture not in known:
        names = ", ".join(sorted(known))
        shown = repr(architecture[:60])
        raise UnsupportedModelError(path, f"is of the architecture {shown}; in this format mlxr runs {names}")
    return known[architecture]


def _make(description: _Description, weights: Weights) -> Model:
    """The model, all of whose file it used, and whose embedding has a row for every token."""
    parameters = Hyperparameters(description.path, description.values, description.prefix)
    model = description.kind(parameters, weights)
    model.leftovers.check(description.architecture, parameters, weights)
    tokens, rows = description.tokens, model.shape.vocab_size
    if tokens > rows:  # an id beyond the table would read whatever lies behind it
        raise ModelFileError(description.path, f"names {tokens} tokens, and its embedding has {rows}")
    return model

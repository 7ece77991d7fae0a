"""From a path to a model on a backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlxr.metal.backend import Backend
from mlxr.models.architectures import gemma3, llama
from mlxr.models.architectures.base import Model
from mlxr.models.architectures.weights import Progress, Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.gguf import GGUFFile
from mlxr.models.hyperparameters import Hyperparameters

ARCHITECTURES: dict[str, type[Model]] = {
    "gemma3": gemma3.Model,
    "llama": llama.Model,
}
"""By ``general.architecture``, or a config's ``model_type``."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run, and what it was built from."""

    path: Path
    architecture: str
    model: Model
    backend: Backend
    weight_bytes: int


def load_model(path: str | Path, backend: Backend, progress: Progress = lambda fraction: None) -> LoadedModel:
    """Load a GGUF file. Raises ``ModelError`` for what is wrong with it, ``OSError`` where it can't be opened."""
    file = GGUFFile.open(path)
    architecture = Hyperparameters(file.path, file.metadata).text("general.architecture")
    if architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UnsupportedModelError(file.path, f"is of the architecture {architecture!r}; mlxr runs {known}")
    parameters = Hyperparameters(file.path, file.metadata, f"{architecture}.")
    weights = Weights(file.path, file.tensors, backend, progress)
    model = ARCHITECTURES[architecture](parameters, weights)
    return LoadedModel(file.path, architecture, model, backend, weights.resident_bytes)

"""Handing a file's tensors to a backend, each checked for its shape first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import mlx.core as mx

from mlxr.metal.backend import Backend, Weight
from mlxr.metal.tensors import Tensor
from mlxr.models.errors import ModelFileError, UnsupportedModelError

Progress = Callable[[str, float], None]
"""Told a stage's name and how far it is, 0 to 1."""

STAGE = "weights"


class Weights:
    """The tensors of one model, by name. ``progress`` is called after each; ``resident_bytes`` is what the backend
    holds of them so far."""

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], backend: Backend, progress: Progress) -> None:
        self.path = path
        self.tensors = tensors
        self.backend = backend
        self._progress = progress
        self._total = sum(tensor.nbytes for tensor in tensors.values())
        self._done = 0
        self.resident_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def matrix(self, name: str, outputs: int, inputs: int, encodes: bool = False) -> Weight:
        """``encodes``: see ``Backend.weight``. Raises ``ModelFileError`` where the tensor is missing or has another
        shape, ``UnsupportedModelError`` where the backend can't take its type."""
        tensor = self._tensor(name, (outputs, inputs))
        try:
            weight = self.backend.weight(tensor, encodes)
        except ValueError as error:
            raise UnsupportedModelError(self.path, f"has a tensor {name!r} that can't be used: {error}") from error
        self.resident_bytes += weight.nbytes
        self._advance(tensor)
        return weight

    def vector(self, name: str, size: int) -> mx.array:
        tensor = self._tensor(name, (size,))
        vector = self.backend.vector(tensor)
        self.resident_bytes += vector.nbytes
        self._advance(tensor)
        return vector

    def optional_vector(self, name: str, size: int) -> mx.array | None:
        return self.vector(name, size) if name in self.tensors else None

    def rows(self, name: str) -> int:
        """How many rows a matrix has, where no hyperparameter tells (a vocabulary)."""
        return self._found(name).shape[0]

    def _found(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise ModelFileError(self.path, f"lacks the tensor {name!r}")
        return self.tensors[name]

    def _tensor(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self._found(name)
        if tensor.shape != shape:
            raise ModelFileError(
                self.path, f"has a tensor {name!r} of shape {tensor.shape}; its metadata asks for {shape}"
            )
        return tensor

    def _advance(self, tensor: Tensor) -> None:
        self._done += tensor.nbytes
        self._progress(STAGE, min(1.0, self._done / self._total))

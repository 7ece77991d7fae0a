"""The tensors that a model's files hold: each asked for by name and shape, and those that nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ONE_VERSION, ModelFileError
from mlxr.models.modelfile import StoredTensor

FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)


class ModelTensors:
    """The tensors of one model, by name. Asking for one marks it as used."""

    def __init__(self, path: Path, tensors: Mapping[str, StoredTensor]) -> None:
        self.path = path
        self.tensors = tensors
        self._asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def rows(self, name: str, most: int) -> int:
        """Returns how many rows a matrix has, where no hyperparameter tells (a vocabulary)."""
        shape = self._found(name).shape
        if not shape:
            raise ModelFileError(self.path, f"has a tensor {name!r} of one number, where a matrix should be")
        rows = shape[0]
        if rows > most:
            raise ModelFileError(self.path, f"has a tensor {name!r} of {rows} rows; mlxr takes at most {most}")
        return rows

    def optional_values(self, name: str, size: int) -> NDArray[np.float64] | None:
        """Returns a vector's values, read at once by either kind of weights; None where the model has none."""
        if name not in self.tensors:
            return None
        one = size == 1 and not self.tensors[name].shape
        return dequantize(self._tensor(name, () if one else (size,)).read()).astype(np.float64).reshape(size)

    def unasked(self) -> list[str]:
        """Names of the tensors that nobody has asked for."""
        return [name for name in self.tensors if name not in self._asked]

    def adds_nothing(self, name: str) -> bool:
        """Whether the tensor is a bias of zeros, which quantizers write for matrices that have none."""
        tensor = self.tensors[name]
        small = name.endswith(".bias") and len(tensor.shape) == 1 and tensor.type in FLOATS
        return small and bool((dequantize(tensor.read()) == 0).all())

    def _found(self, name: str) -> StoredTensor:
        if name not in self.tensors:
            raise ModelFileError(self.path, f"lacks the tensor {name!r}; fetch all of the model's files")
        self._asked.add(name)
        return self.tensors[name]

    def _tensor(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        tensor = self._found(name)
        if tensor.shape != shape:
            reason = f"has a tensor {name!r} of shape {tensor.shape}; its metadata asks for {shape}"
            raise ModelFileError(tensor.file.path, f"{reason}, so {ONE_VERSION}")
        tensor.require_type()
        return tensor

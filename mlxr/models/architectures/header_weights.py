"""The tensors of a model of which only the headers are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import Weight
from mlxr.models.architectures.latent_tensors import empty_parts
from mlxr.models.architectures.weights import Weights
from mlxr.models.modelfile import StoredTensor

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import Backend


class HeaderWeights(Weights):
    """The tensors of a model that is only looked at: all shapes are checked, no weights are read, nothing is made."""

    def __init__(self, path: Path, tensors: Mapping[str, StoredTensor]) -> None:
        super().__init__(path, tensors, cast("Backend", None), lambda stage, fraction: None)

    def _read(self, tensor: StoredTensor) -> Tensor:
        rows = math.prod(tensor.shape[:-1])
        return Tensor(tensor.name, tensor.require_type(), tensor.shape, np.empty((rows, 0), np.uint8))

    def _padded(self, whole: Tensor, groups: int, rows: int, columns: int) -> Tensor:
        of_rows = whole.shape[1] == columns
        shape = (groups * rows, columns) if of_rows else (rows, groups * columns)
        return replace(whole, shape=shape, data=np.empty((shape[0], 0), np.uint8))

    def _turned(self, tensor: StoredTensor) -> Tensor:
        count, inputs, outputs = tensor.shape
        nothing = np.empty((count * outputs, 0), np.uint8)
        return Tensor(tensor.name, tensor.require_type(), (count * outputs, inputs), nothing)

    def _key_value_parts(self, whole: Tensor, heads: int, keys: int, values: int) -> tuple[Tensor, Tensor]:
        return empty_parts(whole, heads, keys, values)

    def _made(self, tensor: Tensor, encoder: bool = False, lookup: bool = False) -> Weight:
        return Weight((tensor.shape[0], tensor.shape[1]), None, 0)

    def _vector(
        self, size: int, read: Callable[[], Tensor], made: Callable[[mx.array], mx.array] | None = None
    ) -> mx.array:
        return cast("mx.array", None)

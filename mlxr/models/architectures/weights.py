"""Handing a file's tensors to a backend, each checked for its shape first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.affine import bits_of
from mlxr.metal.padding import padded_columns, padded_rows
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensor_rows import rows_of, sorted_rows, stacked
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import Weight
from mlxr.models.architectures.expert_tensors import DTYPES, outputs_first
from mlxr.models.architectures.latent_tensors import key_value_parts
from mlxr.models.architectures.model_tensors import ModelTensors
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import MOST
from mlxr.models.modelfile import StoredTensor

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.backend import Backend

T = TypeVar("T")

Progress = Callable[[str, float], None]
"""Told a stage's name and how far it is, 0 to 1."""

STAGE = "weights"

Rows: TypeAlias = NDArray[np.intp]
"""Numbers of rows of a matrix."""


class Weights(ModelTensors):
    """The tensors of one model, handed to a backend. Data are read when they are asked for, one tensor at a time.

    ``progress`` is called after each; ``resident_bytes`` is what the backend holds of them so far.
    """

    def __init__(self, path: Path, tensors: Mapping[str, StoredTensor], backend: Backend, progress: Progress) -> None:
        super().__init__(path, tensors)
        self.backend = backend
        self._progress = progress
        self._total = sum(tensor.nbytes for tensor in tensors.values())
        self._done = 0
        self._held: Counter[tuple[str, str]] = Counter()
        self.resident_bytes = 0

    def matrix(self, name: str, outputs: int, inputs: int, encoder: bool = False) -> Weight:
        """``encoder``: see ``Backend.weight``. Raises ``ModelFileError`` where the tensor is missing or has another
        shape, ``UnsupportedModelError`` where the backend can't take its type."""
        tensor = self._tensor(name, (outputs, inputs))
        return self._taken([tensor], self._made(self._read(tensor), encoder))

    def lookup_table(self, name: str, rows: int, features: int) -> Weight:
        """Returns a matrix whose rows are looked up alone. Raises as ``matrix`` does."""
        tensor = self._tensor(name, (rows, features))
        return self._taken([tensor], self._made(self._read(tensor), lookup=True))

    def parts(self, name: str, outputs: Sequence[int], inputs: int, encoder: bool = False) -> list[Weight]:
        """Returns the matrices that lie above one another in a tensor, ``outputs`` rows each. Raises as ``matrix``
        does, and ``UnsupportedModelError`` where the rows of its type can't be told apart."""
        tensor = self._tensor(name, (sum(outputs), inputs))
        whole, ends = self._read(tensor), np.cumsum(outputs).tolist()
        try:
            parts = [rows_of(whole, end - count, end) for count, end in zip(outputs, ends, strict=True)]
        except ValueError as error:
            reason = f"keeps several matrices in {tensor.name!r} as {whole.type}, which mlxr can't take apart: {error}"
            raise UnsupportedModelError(self.path, reason) from error
        weights = [self._made(part, encoder) for part in parts]
        self._advance(tensor)
        return weights

    def padded_rows(self, name: str, groups: int, sizes: tuple[int, int], inputs: int) -> Weight:
        """Returns a matrix each of whose ``groups`` of rows, ``sizes[0]`` in the file, is ``sizes[1]`` long, the rest
        zeros."""
        tensor = self._tensor(name, (groups * sizes[0], inputs))
        return self._taken([tensor], self._made(self._padded(self._read(tensor), groups, sizes[1], inputs)))

    def padded_columns(self, name: str, groups: int, sizes: tuple[int, int], outputs: int) -> Weight:
        """Returns the same of a matrix's columns."""
        tensor = self._tensor(name, (outputs, groups * sizes[0]))
        return self._taken([tensor], self._made(self._padded(self._read(tensor), groups, outputs, sizes[1])))

    def sorted_rows(self, name: str, rows: Sequence[Rows], inputs: int) -> list[Weight]:
        """Returns matrices whose ``rows`` are those of a tensor, which has no others. Raises as ``parts`` does."""
        tensor = self._tensor(name, (sum(map(len, rows)), inputs))
        return self._sorted(tensor, self._read(tensor), rows)

    def experts(self, name: str, count: int, outputs: int, inputs: int) -> Weight:
        """Returns ``count`` matrices that lie above one another in a tensor of three dimensions, as one."""
        tensor = self._tensor(name, (count, outputs, inputs))
        return self._taken([tensor], self._made(replace(self._read(tensor), shape=(count * outputs, inputs))))

    def expert_parts(
        self, name: str, count: int, outputs: Sequence[int], inputs: int, mixed: bool = False
    ) -> list[Weight]:
        """Returns ``count`` matrices each that lie in a tensor of three dimensions, an expert's above one another; or
        row by row in turn, where they are ``mixed``. Raises as ``parts`` does."""
        tensor = self._tensor(name, (count, sum(outputs), inputs))
        whole = replace(self._read(tensor), shape=(count * sum(outputs), inputs))
        rows = np.arange(whole.shape[0]).reshape(count, -1)
        parts = [rows[:, first :: len(outputs)] for first in range(len(outputs))]
        parts = parts if mixed else np.split(rows, np.cumsum(outputs)[:-1], 1)
        return self._sorted(tensor, whole, [part.reshape(-1) for part in parts])

    def separate(self, name: str, count: int, outputs: int, inputs: int) -> list[Weight]:
        """Returns ``count`` matrices that lie in a tensor of three dimensions, each by itself."""
        tensor = self._tensor(name, (count, outputs, inputs))
        whole = replace(self._read(tensor), shape=(count * outputs, inputs))
        return self._sorted(tensor, whole, list(np.arange(count * outputs).reshape(count, outputs)))

    def experts_apart(self, names: Sequence[str], count: int, outputs: int, inputs: int) -> list[Weight]:
        """Returns the matrices of ``count`` experts, each by itself, from the one tensor that is named, or from one
        each."""
        if len(names) == 1 != count:
            return self.separate(names[0], count, outputs, inputs)
        return [self.matrix(name, outputs, inputs) for name in names]

    def turned_experts(self, name: str, count: int, outputs: int, inputs: int) -> Weight:
        """Returns experts' matrices from a tensor in which each is ``[inputs, outputs]``, above one another as one.
        Raises ``UnsupportedModelError`` for a quantized type, of which no block would stay whole."""
        tensor = self._turnable(name, (count, inputs, outputs))
        return self._taken([tensor], self._made(self._turned(tensor)))

    def turned_gates_and_ups(self, name: str, count: int, hidden: int, inputs: int, mixed: bool) -> list[Weight]:
        """Returns experts' gates, and what they multiply, from such a tensor of both, in turns if ``mixed``."""
        tensor = self._turnable(name, (count, inputs, 2 * hidden))
        rows = np.arange(2 * count * hidden).reshape(count, 2 * hidden)
        parts = (rows[:, ::2], rows[:, 1::2]) if mixed else (rows[:, :hidden], rows[:, hidden:])
        return self._sorted(tensor, self._turned(tensor), [part.reshape(-1) for part in parts])

    def gate_and_up_biases(self, name: str, count: int, hidden: int, mixed: bool) -> tuple[mx.array, mx.array]:
        """Returns their biases likewise, from a tensor ``[count, 2 * hidden]``, one expert's behind another's."""
        tensor = self._tensor(name, (count, 2 * hidden))

        def part(first: bool) -> Tensor:
            numbers = dequantize(tensor.read()).reshape(count, 2 * hidden)
            halves = (numbers[:, ::2], numbers[:, 1::2]) if mixed else (numbers[:, :hidden], numbers[:, hidden:])
            data = np.ascontiguousarray(halves[not first]).reshape(1, -1).view(np.uint8)
            return Tensor(name, TensorType.F32, (count * hidden,), data)

        made = self._vector(count * hidden, lambda: part(True)), self._vector(count * hidden, lambda: part(False))
        self._advance(tensor)
        return made

    def stacked(self, names: Sequence[str], outputs: int, inputs: int) -> Weight:
        """Returns matrices of one type, each in a tensor of its own, above one another as one."""
        tensors = [self._tensor(name, (outputs, inputs)) for name in names]
        for tensor in tensors:
            if tensor.type != tensors[0].type:
                reason = f"has experts of different types, {tensors[0].name!r} and {tensor.name!r}"
                raise UnsupportedModelError(self.path, reason)
        try:
            whole = stacked([self._read(tensor) for tensor in tensors])
        except ValueError as error:
            reason = f"keeps the experts of {tensors[0].name!r} in a way that mlxr can't put together: {error}"
            raise UnsupportedModelError(self.path, reason) from error
        return self._taken(tensors, self._made(whole))

    def key_value_up(self, name: str, heads: int, keys: int, values: int, rank: int) -> tuple[Weight, Weight]:
        """Returns the two matrices that latent attention has of one tensor (``latent_tensors.py``)."""
        tensor = self._tensor(name, (heads * (keys + values), rank))
        key_up, value_up = self._key_value_parts(self._read(tensor), heads, keys, values)
        made = self._made(key_up), self._made(value_up)
        self._advance(tensor)
        return made

    def some_rows(self, name: str, rows: Sequence[int], inputs: int) -> Weight:
        """Returns the matrix of the given rows of a larger one. Raises as ``parts`` does."""
        tensor = self._tensor(name, (self.rows(name, MOST), inputs))
        if not all(0 <= row < tensor.shape[0] for row in rows):
            raise ModelFileError(self.path, f"has {tensor.shape[0]} rows in the tensor {name!r}, and none of {rows}")
        whole = self._read(tensor)
        if not whole.extras:
            return self._made(replace(whole, shape=(len(rows), inputs), data=whole.data[list(rows)]))
        try:
            return self._made(stacked([rows_of(whole, row, row + 1) for row in rows]))
        except ValueError as error:
            reason = f"keeps the tensor {name!r} as {whole.type}, which mlxr can't take apart: {error}"
            raise UnsupportedModelError(self.path, reason) from error

    def row(self, name: str, size: int) -> Weight:
        """Returns a matrix of one row, from a tensor of one or two dimensions."""
        shape = (size,) if self._found(name).shape == (size,) else (1, size)
        tensor = self._tensor(name, shape)
        return self._taken([tensor], self._made(replace(self._read(tensor), shape=(1, size))))

    def rows_as_vector(self, name: str, rows: int, size: int) -> mx.array:
        """Returns the numbers of a matrix of ``rows`` rows, ``size`` in all, one row after another."""
        tensor = self._tensor(name, (rows, size // rows))
        vector = self._vector(size, tensor.read)
        self._advance(tensor)
        return vector

    def vector(self, name: str, size: int, offset: float = 0.0, factor: float = 1.0) -> mx.array:
        """``offset``: what is added to every number; ``factor``: what it is then multiplied by. A matrix of one
        row is as good as a vector."""
        tensor = self._tensor(name, (1, size) if self._found(name).shape == (1, size) else (size,))
        changes = offset != 0.0 or factor != 1.0
        vector = self._vector(size, tensor.read, (lambda numbers: (numbers + offset) * factor) if changes else None)
        self._advance(tensor)
        return vector

    def sorted_numbers(self, name: str, rows: Sequence[Rows]) -> list[mx.array | None]:
        """Returns vectors of the numbers of a tensor, which has no others."""
        import mlx.core as mx

        size = sum(map(len, rows))
        vector: mx.array | None = self.vector(name, size)
        return [None if vector is None else vector[mx.array(own.astype(np.int32))] for own in rows]

    def ones(self, size: int) -> mx.array:
        """Returns a vector of ones, of which no file holds a copy."""
        numbers = np.ones((1, size), np.float32)
        return self._vector(size, lambda: Tensor("ones", TensorType.F32, (size,), numbers.view(np.uint8)))

    def table(self, name: str, dims: Sequence[int], made: Callable[[mx.array], mx.array] | None = None) -> mx.array:
        """Returns the numbers of a tensor as a vector. Its dimensions are ``dims``, whatever has a size of 1 apart, or
        one of their product. ``made``: what becomes of the numbers."""
        shape = self._found(name).shape
        if _without_ones(shape) not in (_without_ones(dims), _without_ones([math.prod(dims)])):
            shape = tuple(dims)
        tensor = self._tensor(name, shape)
        vector = self._vector(math.prod(dims), tensor.read, made)
        self._advance(tensor)
        return vector

    def _sorted(self, tensor: StoredTensor, whole: Tensor, rows: Sequence[Rows]) -> list[Weight]:
        try:
            parts = [sorted_rows(whole, own) for own in rows]
        except ValueError as error:
            reason = f"keeps several matrices in {tensor.name!r} as {whole.type}, which mlxr can't take apart: {error}"
            raise UnsupportedModelError(self.path, reason) from error
        weights = [self._made(part) for part in parts]
        self._advance(tensor)
        return weights

    def _read(self, tensor: StoredTensor) -> Tensor:
        return tensor.read()

    def _turnable(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        tensor = self._tensor(name, shape)
        if tensor.type not in DTYPES:
            reason = f"keeps the experts of {name!r} as {tensor.type}, inputs first, which mlxr can't turn"
            raise UnsupportedModelError(self.path, reason)
        return tensor

    def _turned(self, tensor: StoredTensor) -> Tensor:
        return outputs_first(self._read(tensor))

    def _padded(self, whole: Tensor, groups: int, rows: int, columns: int) -> Tensor:
        """``rows``, ``columns``: of each group, whichever of them is longer than in the file."""
        if whole.shape[1] == columns:
            return padded_rows(whole, groups, rows)
        return padded_columns(whole, groups, columns)

    def _key_value_parts(self, whole: Tensor, heads: int, keys: int, values: int) -> tuple[Tensor, Tensor]:
        return key_value_parts(whole, heads, keys, values)

    def _made(self, tensor: Tensor, encoder: bool = False, lookup: bool = False) -> Weight:
        try:
            weight = self.backend.table(tensor) if lookup else self.backend.weight(tensor, encoder)
        except ValueError as error:
            reason = f"has a tensor {tensor.name!r} that can't be used: {error}"
            raise UnsupportedModelError(self.path, reason) from error
        self.resident_bytes += weight.nbytes
        form = self.backend.held_as(tensor)
        if form:
            affine = tensor.type is TensorType.AFFINE
            self._held[f"{bits_of(tensor)}-bit codes" if affine else tensor.type.value, form] += 1
        return weight

    def notes(self) -> list[str]:
        """Returns what the backend keeps in another form than the file has, and how near that is, a sentence for each
        form."""
        return [
            f"{count} {'matrix' if count == 1 else 'matrices'} of {type} {'is' if count == 1 else 'are'} held as {form}"
            for (type, form), count in sorted(self._held.items())
        ]

    def _taken(self, tensors: Sequence[StoredTensor], weight: Weight) -> Weight:
        for tensor in tensors:
            self._advance(tensor)
        return weight

    def _vector(
        self, size: int, read: Callable[[], Tensor], made: Callable[[mx.array], mx.array] | None = None
    ) -> mx.array:
        """``size``: how many numbers it has."""
        vector = self.backend.vector(read())
        self.resident_bytes += vector.nbytes
        return vector if made is None else made(vector)

    def _advance(self, tensor: StoredTensor) -> None:
        self._done += tensor.nbytes
        self._progress(STAGE, min(1.0, self._done / self._total))


def _without_ones(dims: Sequence[int]) -> list[int]:
    return [size for size in dims if size != 1]

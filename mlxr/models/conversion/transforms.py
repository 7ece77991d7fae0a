"""Tensors that are made of others on their way into another file: rows in another order, matrices above one another,
parts of what was one, the other way round, numbers changed one by one.

Rows are moved as they are stored; what moves single numbers, or changes them, goes by floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensor_rows import sorted_rows, stacked
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.architectures.expert_tensors import DTYPES, outputs_first
from mlxr.models.modelfile import StoredTensor
from mlxr.models.quantization.encoding import Whole

Floats = NDArray[np.float32]
Order = NDArray[np.intp]
Shape = tuple[int, ...]


def neighbours(rows: int, heads: int) -> Order:
    """Returns the order of rows in which those that turn together are neighbours, from that in which they are halves of
    a head: GGUF's, from Hugging Face's."""
    order: Order = np.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).reshape(-1)
    return order


def tiled(rows: int, groups: int, size: int) -> Order:
    """Returns the order of rows in which the first heads of all groups come first, from that in which each group's
    heads are together; a head has ``size`` rows."""
    order: Order = np.arange(rows).reshape(groups, -1, size).swapaxes(0, 1).reshape(-1)
    return order


class Readable(Protocol):
    """A tensor that can be read at once and by rows: ``StoredTensor``, or what was made of such."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def type(self) -> TensorType | None: ...
    @property
    def rows(self) -> int: ...
    def require_type(self) -> TensorType: ...
    def read(self) -> Tensor: ...
    def read_rows(self, first: int, count: int) -> Tensor: ...


class Made(Whole):
    """A tensor that ``make`` makes, as a matrix."""

    def __init__(self, name: str, type: TensorType, shape: Shape, make: Callable[[], Tensor]) -> None:
        super().__init__(name, type, shape, make)
        self.made_type = type

    def require_type(self) -> TensorType:
        return self.made_type

    def read(self) -> Tensor:
        return self._make()


def in_order(tensor: Readable, order: Order) -> Readable:
    """Returns the rows of a matrix, or the numbers of a vector, that ``order`` has, in that order."""
    if len(tensor.shape) != 2:
        return computed(tensor, (len(order), *tensor.shape[1:]), lambda values: values[order])
    shape = (len(order), tensor.shape[1])
    return Made(tensor.name, tensor.require_type(), shape, lambda: sorted_rows(tensor.read(), order))


def inner_rows(tensor: Readable, order: Order) -> Readable:
    """Returns those rows of each of the matrices that lie above one another in a tensor."""
    *outer, rows, columns = tensor.shape
    every = (np.arange(math.prod(outer))[:, None] * rows + order).reshape(-1)
    shape = (*outer, len(order), columns)
    return Made(tensor.name, tensor.require_type(), shape, lambda: sorted_rows(_matrix(tensor), every))


def columns_in_order(tensor: Readable, order: Order) -> Readable:
    """Returns a matrix's columns in that order."""
    return computed(tensor, (*tensor.shape[:-1], len(order)), lambda values: values[..., order])


def reshaped(tensor: Readable, shape: Shape) -> Readable:
    """Returns a tensor's numbers as another shape; its blocks stay where rows are as long as they were."""
    if len(tensor.shape) > 1 and tensor.shape[-1] == shape[-1]:
        return Made(tensor.name, tensor.require_type(), shape, lambda: _matrix(tensor))
    return computed(tensor, shape, lambda values: values.reshape(shape))


def computed(tensor: Readable, shape: Shape, change: Callable[[Floats], Floats]) -> Readable:
    """Returns what ``change`` makes of a tensor's numbers, of that shape and the same type where that is a float's."""
    type = tensor.require_type()
    return made(tensor.name, type if type in DTYPES else TensorType.F32, shape, lambda: change(values_of(tensor)))


def made(name: str, type: TensorType, shape: Shape, make: Callable[[], Floats]) -> Readable:
    """Returns a tensor of the numbers that ``make`` returns, as ``type``, a float's."""

    def tensor() -> Tensor:
        values = np.ascontiguousarray(make(), np.float32).reshape(-1, shape[-1])
        return Tensor(name, type, values.shape, _stored(values, type))

    return Made(name, type, shape, tensor)


def together(parts: Sequence[StoredTensor]) -> Readable:
    """Returns the matrices of experts, or vectors of heads, as one tensor."""
    shape = (len(parts), *parts[0].shape)
    if len(parts[0].shape) == 1:
        return made(parts[0].name, TensorType.F32, shape, lambda: np.stack([values_of(part) for part in parts]))
    return Made(parts[0].name, parts[0].require_type(), shape, lambda: stacked([part.read() for part in parts]))


def below(first: Readable, second: Readable) -> Readable:
    """Returns a matrix above another, where both are of one type."""
    if first.type == second.type:
        shape = (first.shape[0] + second.shape[0], first.shape[1])
        return Made(first.name, first.require_type(), shape, lambda: rows_together(first.read(), second.read()))
    shape = (first.shape[0] + second.shape[0], first.shape[1])
    return made(first.name, TensorType.F32, shape, lambda: np.concatenate([values_of(first), values_of(second)]))


def rows_together(first: Tensor, second: Tensor) -> Tensor:
    """Returns matrices of one type, without extras, above one another."""
    shape = (first.shape[0] + second.shape[0], first.shape[1])
    return replace(first, shape=shape, data=np.concatenate([first.data, second.data]))


def half(tensor: Readable, number: int, takes_turns: bool = False) -> Readable:
    """Returns one of two matrices of which a tensor has the rows, in each expert's where there are experts: those of
    one above those of the other, or by turns."""
    rows = tensor.shape[-2]
    order = np.arange(number, rows, 2) if takes_turns else np.arange(rows // 2) + number * (rows // 2)
    return inner_rows(tensor, order)


def half_of_vectors(tensor: Readable, number: int, takes_turns: bool) -> Readable:
    """Returns the same of vectors, one in each row."""
    size = tensor.shape[-1] // 2
    part = slice(number, None, 2) if takes_turns else slice(number * size, (number + 1) * size)
    return computed(tensor, (*tensor.shape[:-1], size), lambda values: values[..., part])


def turned(tensor: Readable) -> Readable:
    """Returns experts' matrices ``[experts, inputs, outputs]`` as ``[experts, outputs, inputs]``."""
    count, inputs, outputs = tensor.shape
    shape = (count, outputs, inputs)
    if (type := tensor.require_type()) in DTYPES:
        return Made(tensor.name, type, shape, lambda: outputs_first(replace(tensor.read(), shape=tensor.shape)))
    return computed(tensor, shape, lambda values: values.swapaxes(1, 2))


def values_of(tensor: Readable) -> Floats:
    """Returns a tensor's numbers, as it is shaped."""
    return np.asarray(dequantize(tensor.read()), np.float32).reshape(tensor.shape)


def _matrix(tensor: Readable) -> Tensor:
    return replace(tensor.read(), shape=(math.prod(tensor.shape[:-1]), tensor.shape[-1]))


def _stored(values: Floats, type: TensorType) -> NDArray[np.uint8]:
    """Numbers as a float's bytes, rounded to the nearest."""
    if type is TensorType.F32:
        return values.view(np.uint8)
    if type is TensorType.F16:
        return values.astype(np.float16).view(np.uint8)
    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16).view(np.uint8)

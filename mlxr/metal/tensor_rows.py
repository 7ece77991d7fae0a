"""Rows of a stored matrix, and matrices above one another as one, with what their type keeps beside its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.affine import bits_of, group_of
from mlxr.metal.tensors import Tensor, TensorType

Extras = dict[str, NDArray[np.generic]]


def rows_of(tensor: Tensor, begin: int, end: int) -> Tensor:
    """Returns the rows from ``begin`` to ``end`` of a matrix. Raises ``ValueError`` where a scale of its type covers
    parts of other rows."""
    columns = tensor.shape[1]
    extras = tensor.extras
    if tensor.extras:
        match tensor.type:
            case TensorType.AFFINE:
                extras = {**extras, "scales": extras["scales"][begin:end], "biases": extras["biases"][begin:end]}
            case TensorType.FP8_E4M3 | TensorType.NVFP4:
                extras = _scales_of_rows(tensor, begin, end)
            case TensorType.NF4:
                size = int(extras["block"])
                if begin * columns % size or end * columns % size:
                    raise ValueError(f"{tensor.name} has a scale for {size} values, and {columns} in a row")
                part = slice(begin * columns // size, end * columns // size)
                extras = {"block": extras["block"], "map": extras["map"], "absmax": block_scales(extras)[part]}
    return replace(tensor, shape=(end - begin, columns), data=tensor.data[begin:end], extras=extras)


def sorted_rows(tensor: Tensor, rows: NDArray[np.intp]) -> Tensor:
    """Returns the ``rows`` of a matrix, by their numbers, in that order. Raises ``ValueError`` as ``rows_of`` does."""
    columns, extras = tensor.shape[1], tensor.extras
    if extras:
        match tensor.type:
            case TensorType.AFFINE:
                extras = {**extras, "scales": extras["scales"][rows], "biases": extras["biases"][rows]}
            case TensorType.FP8_E4M3 | TensorType.NVFP4 if extras["scale"].ndim == 0:
                pass
            case TensorType.NVFP4:
                extras = {"scale": extras["scale"][rows]}
            case TensorType.FP8_E4M3:
                extras = _sorted_blocks(tensor, rows)
            case TensorType.NF4:
                size = int(extras["block"])
                if columns % size:
                    raise ValueError(f"{tensor.name} has a scale for {size} values, and {columns} in a row")
                absmax = block_scales(extras).reshape(-1, columns // size)[rows].reshape(-1)
                extras = {"block": extras["block"], "map": extras["map"], "absmax": absmax}
    return replace(tensor, shape=(len(rows), columns), data=tensor.data[rows], extras=extras)


def stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Returns matrices of one type and size above one another as one. Raises ``ValueError`` where their types, or what
    these keep for a whole matrix, differ."""
    first = tensors[0]
    rows, columns = first.shape
    for tensor in tensors:
        if tensor.type != first.type or _kept_once(tensor) != _kept_once(first):
            raise ValueError(f"{first.name} and {tensor.name} are stored as different types")
    extras = _stacked_extras(tensors) if first.extras else {}
    data = np.concatenate([tensor.data for tensor in tensors])
    return replace(first, shape=(len(tensors) * rows, columns), data=data, extras=extras)


def block_scales(extras: Extras) -> NDArray[np.float32]:
    """Returns the scales of NF4's blocks, which may be quantized themselves (bitsandbytes)."""
    absmax = extras["absmax"].reshape(-1)
    if "nested_absmax" not in extras:
        return absmax.astype(np.float32)
    outer = np.repeat(extras["nested_absmax"].astype(np.float32).reshape(-1), int(extras["nested_block"]))
    levels = extras["nested_map"].astype(np.float32)[absmax.astype(np.uint8)]
    scales: NDArray[np.float32] = levels * outer[: len(absmax)] + extras["offset"].astype(np.float32)
    return scales


def _kept_once(tensor: Tensor) -> object:
    """What a type keeps that can't differ between the rows of one matrix."""
    extras = tensor.extras
    if tensor.type is TensorType.AFFINE and extras:
        return bits_of(tensor), group_of(tensor)
    if tensor.type is TensorType.NF4 and extras:
        return int(extras["block"]), extras["map"].tobytes()
    if tensor.type is TensorType.FP8_E4M3:
        return _block(tensor)[1]
    return sorted(extras)


def _stacked_extras(tensors: Sequence[Tensor]) -> Extras:
    first = tensors[0]
    rows, columns = first.shape
    match first.type:
        case TensorType.AFFINE:
            joined = {name: np.concatenate([t.extras[name] for t in tensors]) for name in ("scales", "biases")}
            return {**first.extras, **joined}
        case TensorType.NF4:
            if rows * columns % int(first.extras["block"]):
                raise ValueError(f"{first.name} ends within the values of a scale")
            absmax = np.concatenate([block_scales(tensor.extras) for tensor in tensors])
            return {"block": first.extras["block"], "map": first.extras["map"], "absmax": absmax}
        case TensorType.NVFP4:
            return {"scale": np.concatenate([np.broadcast_to(tensor.extras["scale"], rows) for tensor in tensors])}
        case _:
            return _stacked_blocks(tensors)


def _stacked_blocks(tensors: Sequence[Tensor]) -> Extras:
    """Scales of FP8 matrices above one another."""
    rows = tensors[0].shape[0]
    height, width = _block(tensors[0])
    if any(_block(tensor)[0] != height for tensor in tensors) or rows % height:
        height = 1
        parts = [_by_row(tensor) for tensor in tensors]
    else:
        parts = [tensor.extras["scale"].reshape(rows // height, -1) for tensor in tensors]
    return {"scale": np.concatenate(parts), "block": np.array([height, width], np.int32)}


def _scales_of_rows(tensor: Tensor, begin: int, end: int) -> Extras:
    scale = tensor.extras["scale"]
    if scale.ndim == 0:
        return tensor.extras
    if tensor.type is TensorType.NVFP4:
        return {"scale": scale[begin:end]}
    height, width = _block(tensor)
    if begin % height == 0 and (end % height == 0 or end == tensor.shape[0]):
        return {"scale": scale[begin // height : -(-end // height)], "block": tensor.extras["block"]}
    return {"scale": _by_row(tensor)[begin:end], "block": np.array([1, width], np.int32)}


def _sorted_blocks(tensor: Tensor, rows: NDArray[np.intp]) -> Extras:
    """Scales of FP8 of such rows: as they are where whole blocks of rows stay together."""
    height, width = _block(tensor)
    if len(rows) % height == 0:
        blocks = rows.reshape(-1, height)
        first = blocks[:, :1]
        if (first % height == 0).all() and (blocks == first + np.arange(height)).all():
            scale = tensor.extras["scale"].reshape(-(-tensor.shape[0] // height), -1)
            return {"scale": scale[first[:, 0] // height], "block": tensor.extras["block"]}
    return {"scale": _by_row(tensor)[rows], "block": np.array([1, width], np.int32)}


def _by_row(tensor: Tensor) -> NDArray[np.generic]:
    """Scales of FP8, one row of them for each of the matrix's."""
    height, _ = _block(tensor)
    rows = tensor.shape[0]
    return np.repeat(tensor.extras["scale"].reshape(-(-rows // height), -1), height, axis=0)[:rows]


def _block(tensor: Tensor) -> tuple[int, int]:
    """Rows and columns that share a scale of FP8."""
    rows, columns = tensor.shape
    if "block" not in tensor.extras:
        return rows, columns
    height, width = (int(size) for size in tensor.extras["block"])
    return height, width

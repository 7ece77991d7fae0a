"""Matrices whose columns are grouped by activation (GPTQ's ``desc_act``): the columns of a group are no neighbours.

No kernel has such groups. Codes of up to 4 bits become codes of 8 bits for each 32 neighbours, others 16-bit floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import affine
from mlxr.metal.sizes import NO_SCALES, Scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.formats.quantized.parts import (
    CHUNK_VALUES,
    AssembledTensor,
    Floats,
    Parts,
    half,
    integers,
    misshapen,
    require_stored,
)
from mlxr.models.modelfile import StoredTensor

MOST_REWRITTEN_BITS = 4
"""Of codes that become codes of 8 bits: their own steps are 17 times as large."""
NOTE = "columns of matrices are grouped by activation (desc_act): they are read as {}"
BYTES, HALVES = "codes of 8 bits for each 32 neighbours, which are rounded", "16-bit floats"


def column_groups(order: StoredTensor | None, columns: int, group: int, groups: int) -> NDArray[np.int64] | None:
    """Returns each column's group, where these do not lie one behind the other; None where they do, as they do without
    an ``order``. Raises ``ModelFileError`` for one that names no groups of the matrix."""
    plain = np.arange(columns) // group
    whole = columns % group == 0
    if order is None:
        return None if whole else plain
    require_stored(order.name, order, "I32", "I64")
    if order.shape != (columns,):
        raise misshapen(order.name, f"has no group for each of {columns} columns", order)
    indices = integers(order).astype(np.int64)
    if (indices == -1).all():  # compressed-tensors' word for none
        return None if whole else plain
    if indices.min() < 0 or indices.max() >= groups:
        raise misshapen(order.name, f"names groups beyond the {groups} that there are", order)
    return None if whole and np.array_equal(indices, plain) else indices


def reordered(
    parts: Parts,
    name: str,
    shape: tuple[int, int],
    bits: int,
    stored: Sequence[StoredTensor],
    stored_as: str,
    read: Callable[[], tuple[NDArray[np.uint8], Floats, Floats]],
    indices: NDArray[np.int64],
) -> AssembledTensor:
    """Returns the matrix of which ``read`` gives packed codes, scales and biases ``[rows, groups]``; ``indices``: the
    group of each column. Says in ``parts`` what becomes of it."""
    rewritten = bits <= MOST_REWRITTEN_BITS and shape[1] % affine.LEAST_GROUP == 0
    parts.note(NOTE.format(BYTES if rewritten else HALVES))

    def make() -> Tensor:
        values = _rows(shape, bits, *read(), indices)
        return affine.quantized(name, shape, values) if rewritten else half(name, np.concatenate(list(values)))

    type, kind = (TensorType.AFFINE, Scales(8, affine.LEAST_GROUP)) if rewritten else (TensorType.F16, NO_SCALES)
    return AssembledTensor(name, type, shape, stored, stored_as, make, kind)


def _rows(
    shape: tuple[int, int],
    bits: int,
    packed: NDArray[np.uint8],
    scales: Floats,
    biases: Floats,
    indices: NDArray[np.int64],
) -> Iterator[Floats]:
    """Some rows of the matrix after others, float32."""
    step = max(1, CHUNK_VALUES // shape[1])
    for start in range(0, shape[0], step):
        part = slice(start, start + step)
        codes = affine.unpacked(packed[part], bits)
        yield codes * scales[part][:, indices] + biases[part][:, indices]

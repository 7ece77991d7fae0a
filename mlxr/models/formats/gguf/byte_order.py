"""Tensors of big-endian files: the numbers in their blocks of more than one byte are turned round when they are read.

A big-endian file holds what llama.cpp reads on a big-endian machine: each field of a block (``ggml-common.h``) in that
order of bytes, and bytes that kernels take as one 32-bit word (Q5's high bits, signs and scales of IQ2 and IQ3) as
such words.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.models.modelfile import StoredTensor

Field = tuple[int, int, int]
"""Where numbers of a block begin, how many bytes each has, and how many there are."""

_D: Field = (0, 2, 1)
"""The scale of a block, first in it."""

FIELDS: dict[TensorType, tuple[Field, ...]] = {
    TensorType.F32: ((0, 4, 1),),
    TensorType.F16: (_D,),
    TensorType.BF16: (_D,),
    TensorType.Q4_0: (_D,),
    TensorType.Q4_1: ((0, 2, 2),),
    TensorType.Q5_0: (_D, (2, 4, 1)),
    TensorType.Q5_1: ((0, 2, 2), (4, 4, 1)),
    TensorType.Q8_0: (_D,),
    TensorType.Q2_K: ((80, 2, 2),),
    TensorType.Q3_K: ((108, 2, 1),),
    TensorType.Q4_K: ((0, 2, 2),),
    TensorType.Q5_K: ((0, 2, 2),),
    TensorType.Q6_K: ((208, 2, 1),),
    TensorType.Q8_K: ((0, 4, 1), (260, 2, 16)),
    TensorType.IQ2_XXS: (_D, (2, 4, 16)),
    TensorType.IQ2_XS: (_D, (2, 2, 32)),
    TensorType.IQ2_S: (_D,),
    TensorType.IQ3_XXS: (_D, (66, 4, 8)),
    TensorType.IQ3_S: (_D,),
    TensorType.IQ1_S: (_D, (34, 2, 8)),
    TensorType.IQ1_M: ((48, 2, 4),),
    TensorType.IQ4_NL: (_D,),
    TensorType.IQ4_XS: ((0, 2, 2),),
    TensorType.TQ1_0: ((52, 2, 1),),
    TensorType.TQ2_0: ((64, 2, 1),),
    TensorType.Q1_0: (_D,),
    TensorType.Q2_0: (_D,),
    TensorType.MXFP4: (),
    TensorType.NVFP4: (),
}


class BigEndianTensor(StoredTensor):
    """A tensor of a big-endian file, read as a little-endian one has it."""

    __slots__ = ()

    def _read(self, shape: tuple[int, ...], nbytes: int, skipped: int = 0) -> Tensor:
        tensor = StoredTensor._read(self, shape, nbytes, skipped)
        return replace(tensor, data=turned(tensor.type, tensor.data))


def turned(type: TensorType, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns blocks of ``type`` in the other order of bytes, in the array that they came in."""
    blocks = data.reshape(-1, BLOCKS[type][1])
    for at, size, count in FIELDS[type]:
        numbers = blocks[:, at : at + size * count].reshape(len(blocks), count, size)
        blocks[:, at : at + size * count] = numbers[:, :, ::-1].reshape(len(blocks), -1)
    return data

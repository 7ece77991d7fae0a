"""A GGUF file as the folder that mlx-lm runs.

Blocks of whole numbers under scales for 32 values are MLX's affine codes: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and IQ4_NL as
they are, those of Q4_K, Q5_K and IQ4_XS with scales rounded to 16 bits. MXFP4 is MLX's own. What MLX has no layout for
becomes 16 bits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlxr.metal.fp4 import mxfp4_parts
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.models.conversion.gguf_config import config_of
from mlxr.models.conversion.gguf_tokenizer import tokenizer_files
from mlxr.models.conversion.mlx_rules import FROM_GGUF, to_mlx
from mlxr.models.conversion.mlx_types import MatrixType, Quantization
from mlxr.models.conversion.to_mlx import DTYPES, EXACT, Folder, Part, array_of, encoded, model_of
from mlxr.models.conversion.transforms import Readable, values_of
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.header import ModelHeader, read_header
from mlxr.models.hyperparameters import Format
from mlxr.models.tokenizers.errors import TokenizerError

if TYPE_CHECKING:
    import mlx.core as mx

GROUP = 32
CODES: dict[TensorType, int] = {
    TensorType.Q4_0: 4,
    TensorType.Q4_1: 4,
    TensorType.Q4_K: 4,
    TensorType.Q5_0: 5,
    TensorType.Q5_1: 5,
    TensorType.Q5_K: 5,
    TensorType.Q8_0: 8,
    TensorType.IQ4_NL: 8,
    TensorType.IQ4_XS: 8,
}
"""Types whose codes MLX has, and of how many bits they are there."""

SLAB_ROWS = 1 << 12
"""Taken apart at once."""
MOST_HALF = 65504.0


def folder_of_gguf(path: Path, wanted: MatrixType, requantize: bool) -> Folder:
    """Returns the folder that a GGUF file becomes. Without a type in ``wanted``, codes that MLX has stay.

    Raises ``UnsupportedModelError`` for a model that mlx-lm does not run or mlxr does not write, and where what is
    quantized would be again without ``requantize``.
    """
    header = read_header(path)
    if header.family.tables.get(Format.MLX) is None:
        raise UnsupportedModelError(header.path, f"is of the family {header.family.name}, which mlx-lm does not run")
    if not header.family.written:
        reason = f"is of the family {header.family.name}, of which mlxr writes no MLX folders yet"
        raise UnsupportedModelError(header.path, f"{reason}; it runs the file as it is")
    few = next((t for t in header.tensors.values() if t.type not in DTYPES), None)
    if few is not None and not requantize and wanted.quantization:
        reason = f"is quantized already ({few.name} as {few.stored_as}), and quantizing it again loses more"
        raise UnsupportedModelError(header.path, f"{reason}; leave the type out to keep its codes, or add --requantize")
    config = config_of(header)
    try:
        files = tokenizer_files(header.parameters.values)
    except TokenizerError as error:
        raise UnsupportedModelError(header.path, f"can't be written as an MLX folder: {error}") from None
    parts = list(_parts(header, wanted))
    hows = Counter(part.how for part in parts if part.how is not None)
    if hows:
        usual = hows.most_common(1)[0][0]
        others = {part.module: part.how.settings() for part in parts if part.how not in (None, usual) and part.how}
        config["quantization"] = config["quantization_config"] = {**usual.settings(), **others}
    config["torch_dtype"] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[_half(header)]
    return Folder(config, parts, files)


def _half(header: ModelHeader) -> str:
    """What plain numbers become: what the most of the file's matrices are, ``F16`` where these are codes. Vectors are
    F32 in every GGUF file, whatever their model was."""
    sizes: Counter[str] = Counter()
    for tensor in header.tensors.values():
        if len(tensor.shape) > 1:
            if (type := tensor.require_type()) not in DTYPES:
                return "F16"
            sizes[DTYPES[type]] += tensor.nbytes
    return sizes.most_common(1)[0][0] if sizes else "F16"


def _parts(header: ModelHeader, wanted: MatrixType) -> Iterator[Part]:
    half = _half(header)
    for name, role, tensor in to_mlx(model_of(header), header.tensors, FROM_GGUF):
        yield _part(name, tensor, role, half, wanted)


def _part(name: str, tensor: Readable, role: str, half: str, wanted: MatrixType) -> Part:
    type = tensor.require_type()
    columns = tensor.shape[-1]
    matrix = len(tensor.shape) > 1 and name.endswith(".weight") and role not in EXACT
    how = wanted.quantization if matrix else None
    if matrix and not wanted.quantization and not wanted.dtype:
        how = _kept(type)
    if how is not None and columns % max(how.group, GROUP):
        how = None
    if not matrix:
        return _numbers(name, tensor, half)
    dtype = wanted.dtype or (half if half == "F32" or type not in (TensorType.F16, TensorType.BF16) else DTYPES[type])
    keeps = how is not None and how == _kept(type) and not wanted.quantization

    def make() -> list[mx.array]:
        matrix = tensor.read()
        if keeps:
            rows = replace(matrix, shape=(math.prod(tensor.shape[:-1]), tensor.shape[-1]))
            return [array.reshape(*tensor.shape[:-1], -1) for array in _codes(rows, dtype)]
        return encoded(array_of(matrix, dtype).reshape(tensor.shape), how)

    return Part(name, tensor.shape, dtype, make, how)


def _numbers(name: str, tensor: Readable, half: str) -> Part:
    """A vector, or a matrix that stays exact: few numbers, of which some may not fit 16 bits."""
    shape = (1, *tensor.shape) if len(tensor.shape) == 1 and name.endswith("_gate.weight") else tensor.shape
    dtype = half if np.abs(values_of(tensor)).max(initial=0) <= MOST_HALF else "F32"

    def make() -> list[mx.array]:
        import mlx.core as mx

        kind = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}[dtype]
        return [mx.array(values_of(tensor).reshape(shape)).astype(kind)]

    return Part(name, shape, dtype, make)


def _kept(type: TensorType) -> Quantization | None:
    """How MLX holds a type's codes; None where it does not."""
    if type is TensorType.MXFP4:
        return Quantization("mxfp4", GROUP, 4)
    return Quantization("affine", GROUP, CODES[type]) if type in CODES else None


def _codes(matrix: Tensor, dtype: str) -> list[mx.array]:
    """Packed codes, scales, and biases where MLX has any, a row of the matrix each."""
    import mlx.core as mx

    rows = matrix.shape[0]
    if matrix.type is TensorType.MXFP4:
        packed, exponents = mxfp4_parts(matrix.data.reshape(rows, -1))
        return [mx.array(np.ascontiguousarray(packed).view(np.uint32)), mx.array(exponents)]
    parts = [_slab(matrix, begin, dtype) for begin in range(0, rows, SLAB_ROWS)]
    return [mx.concatenate(list(arrays)) for arrays in zip(*parts, strict=True)]


def _slab(matrix: Tensor, begin: int, dtype: str) -> list[mx.array]:
    import mlx.core as mx

    from mlxr.metal.mlx.blocks import SPLITTERS
    from mlxr.metal.mlx.weights import pack

    kind = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}[dtype]
    size = BLOCKS[matrix.type][1]
    data = np.ascontiguousarray(matrix.data[begin : begin + SLAB_ROWS])
    groups = SPLITTERS[matrix.type](mx.array(data.reshape(-1, size)))
    rows = len(data)
    codes = pack(groups.codes.reshape(rows, -1), groups.bits)
    made = [codes, groups.scales.reshape(rows, -1).astype(kind), groups.biases.reshape(rows, -1).astype(kind)]
    mx.eval(*made)
    return made

"""Products by a kernel of our own (``mlxr.metal.gpu.affine_matmul``): which it takes, and how it is launched."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import mlx.core as mx

from mlxr.metal.gpu import affine_matmul
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.mlx.weights import AFFINE, HALF, Codes


def takes(rows: int, inputs: int, codes: Codes) -> bool:
    """Whether the kernel multiplies ``rows`` of ``inputs`` numbers by the matrix, which may lie in parts of its columns
    (``weights.split``)."""
    parts = codes.packed.shape[0] if codes.packed.ndim == 3 else 1
    return (
        1 <= rows <= affine_matmul.MOST_ROWS
        and codes.mode == AFFINE
        and codes.bits in affine_matmul.BITS
        and codes.group == affine_matmul.GROUP
        and codes.packed.shape[-2] % affine_matmul.OUTPUTS == 0
        and inputs % affine_matmul.COLUMNS == 0
        and inputs == parts * codes.scales.shape[-1] * codes.group
    )


def multiplied(x: mx.array, codes: Codes) -> mx.array:
    """16-bit ``x`` ``[T, in]`` to 16-bit ``[T, out]``; ``takes`` says for what."""
    function = _launching(x.shape[0], codes.packed.shape[-2], codes.bits)
    out: mx.array
    (out,) = function(inputs=[x.astype(HALF), codes.packed, codes.scales, codes.biases])
    return out


@cache
def _kernel() -> MadeKernel:
    return MadeKernel(affine_matmul.KERNEL, Language.CUDA)


@cache
def _launching(rows: int, outputs: int, bits: int) -> Callable[..., list[mx.array]]:
    return _kernel().launching(affine_matmul.launch(rows, outputs, bits))

"""What the mlx backend holds: codes in MLX's layouts with their scales, or 16-bit floats (``weights.py``)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from mlxr.metal.cache import SCALE_BYTES, NumberType, Vectors
from mlxr.metal.codebooks import CODEBOOK_TYPES
from mlxr.metal.fp4 import MX_GROUP, NV_GROUP
from mlxr.metal.gpu.matmul import CODEBOOK, block_of
from mlxr.metal.gpu.matmul import NUMBERS as BLOCK_NUMBERS
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.sizes import FLOAT_BYTES, HALF_BYTES, MatrixForm
from mlxr.metal.tensors import BLOCKS, TensorType

GROUPS = (128, 64, 32)
"""Columns that MLX lets share a scale and a bias of affine codes."""

REQUANTIZED_BITS = 8

COPIED_BYTES = 16
"""What kernels that copy rows of the pool copy at once."""

MODES: dict[TensorType, tuple[str, int, int]] = {
    TensorType.MXFP4: ("mxfp4", 4, MX_GROUP),
    TensorType.MXFP8: ("mxfp8", 8, MX_GROUP),
    TensorType.NVFP4: ("nvfp4", 4, NV_GROUP),
}
"""Types that MLX has a mode for: its bits, and the values that share a scale of one byte."""

BITS: dict[TensorType, int] = {
    TensorType.Q4_0: 4,
    TensorType.Q4_1: 4,
    TensorType.Q5_0: 5,
    TensorType.Q5_1: 5,
    TensorType.Q8_0: 8,
    TensorType.Q4_K: 4,
    TensorType.Q5_K: 5,
    TensorType.Q8_K: 8,
    TensorType.IQ4_NL: 8,
    TensorType.IQ4_XS: 8,
    TensorType.MXFP4: 5,
}
"""Of affine codes that hold a type's own; types that are in no table but ``AFFINE`` are rounded to 8 bits."""

FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)

AFFINE_TYPES = {TensorType.Q1_0: (1, 128), TensorType.Q2_0: (2, 64)}
"""Types of blocks that are affine codes: bits and columns that share a scale."""


ROUNDED_BLOCKS = (*CODEBOOK_TYPES, TensorType.Q2_K, TensorType.Q3_K)
"""Types that would be rounded to codes of more than twice their bits: they stay blocks where a device has the kernels.
Q6_K, of which Q4_K_M files have some, gains less by it than by the kernel that norms and adds around a product."""


BITS_OF_BLOCKS = (*BITS, TensorType.Q6_K)
"""Types that become codes where their bits can be multiplied, and stay blocks elsewhere."""


@dataclass(frozen=True, slots=True)
class MlxSizes:
    """Implements ``mlxr.metal.sizes.BackendSizes``.

    ``modes``: MLX's modes of floating codes that the device computes in.
    ``bits``: of affine codes that it can multiply; others become 16-bit floats.
    """

    modes: Container[object] = ("mxfp4", "mxfp8", "nvfp4")
    bits: Container[object] = (1, 2, 3, 4, 5, 6, 8)
    name: str = "mlx"

    def matrix(self, form: MatrixForm, encoder: bool = False) -> int:
        return form.rows * self._row_bytes(form)

    def table(self, form: MatrixForm) -> int:
        return form.rows * self._row_bytes(form, looked_up=True)

    def pool(self, spec: PoolSpec) -> int:
        """Keys, values and latents are 16-bit floats or codes of 8 bits, states float32."""
        return sum(len(part.group.layers) * _layer_bytes(part) for part in spec.groups)

    def resident(self, spec: PoolSpec) -> int:
        return self.pool(spec)

    def _row_bytes(self, form: MatrixForm, looked_up: bool = False) -> int:
        columns, type, group = form.columns, form.type, GROUPS[-1]
        blocks = None if looked_up else self._block_bytes(form)
        if blocks is not None and type in ROUNDED_BLOCKS:
            return blocks
        if type in FLOATS:
            return columns * HALF_BYTES
        if type in MODES and not form.scales.whole and MODES[type][0] in self.modes:
            _, bits, group = MODES[type]
            return columns * bits // 8 + columns // group
        if type is TensorType.AFFINE or type in AFFINE_TYPES:
            bits, stored = AFFINE_TYPES.get(type, (form.scales.bits, form.scales.group))
            group = next((size for size in GROUPS if stored % size == 0), group)
        elif type in BITS:
            bits = BITS[type]
        else:
            # Blocks of whole numbers fill groups; other types may have rows that do not.
            bits = REQUANTIZED_BITS if columns % group == 0 or BLOCKS[type][0] >= group else 0
        if bits not in self.bits:
            return blocks if blocks is not None and type in BITS_OF_BLOCKS else columns * HALF_BYTES
        return columns * bits // 8 + columns // group * 2 * HALF_BYTES

    def _block_bytes(self, form: MatrixForm) -> int | None:
        """A row of a file's blocks as they lie there; None where they can't stay so."""
        known = form.type in BLOCK_NUMBERS or form.type in CODEBOOK_TYPES
        if not known or "blocks" not in self.modes or form.scales.whole:
            return None
        values, size = BLOCKS[form.type] if form.type in BLOCK_NUMBERS else block_of(CODEBOOK)
        return form.columns // values * size


def packed_bytes(kept: Vectors) -> int:
    """Returns what a vector of codes takes: them, then their scales, in whole steps of what kernels copy."""
    return -(-(kept.dims + kept.scales * SCALE_BYTES) // COPIED_BYTES) * COPIED_BYTES


def _layer_bytes(part: GroupSpec) -> int:
    if part.group.state_size is not None:
        return part.pages * part.group.state_size * FLOAT_BYTES
    return part.pages * part.page_size * sum(map(_token_bytes, part.group.vectors))


def _token_bytes(kept: Vectors) -> int:
    return kept.count * (packed_bytes(kept) if kept.type is NumberType.INT8 else kept.dims * HALF_BYTES)

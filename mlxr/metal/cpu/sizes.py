"""What the native CPU backend holds: panels of 16 output features, as ``native/quant/packed_layout.h`` lays them out,
and pages as in ``native/ops/page_pool.h``."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from mlxr.metal.affine import AFFINE_TYPES
from mlxr.metal.cache import SCALE_BYTES, NumberType, Vectors
from mlxr.metal.codebooks import SCALES_OF_16, SCALES_OF_32
from mlxr.metal.fp4 import MX_GROUP
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.sizes import FLOAT_BYTES, HALF_BYTES, MatrixForm
from mlxr.metal.tensors import TensorType
from mlxr.runtime.messages.kv import CacheKind

LANES = 16
"""Output features of a panel, and what rows of pages are filled up to."""

BLOCK = 32
"""Input features of a block of whole numbers."""

FLOATS = {TensorType.F32: 4, TensorType.F16: 2, TensorType.BF16: 2}
"""Types that stay floats, with the bytes of a number."""

HUGE_PAGE = 2 << 20

MOST_INT16_COLUMNS = 1 << 18

CODES: dict[TensorType, tuple[int, float]] = {
    TensorType.Q4_0: (4, 2),
    TensorType.Q4_1: (4, 4),
    TensorType.Q5_0: (5, 2),
    TensorType.Q5_1: (5, 4),
    TensorType.Q8_0: (8, 2),
    TensorType.Q2_K: (2, 2.5),
    TensorType.Q3_K: (3, 2.25),
    TensorType.Q4_K: (4, 2.5),
    TensorType.Q5_K: (5, 2.5),
    TensorType.Q6_K: (6, 2.25),
    TensorType.Q8_K: (8, 0.5),
    TensorType.IQ4_NL: (4, 2),
    TensorType.IQ4_XS: (4, 1.25),
    TensorType.MXFP4: (4, 2),
    TensorType.NVFP4: (4, 4),
    **dict.fromkeys(SCALES_OF_16, (4, 2.5)),
    **dict.fromkeys(SCALES_OF_32, (4, 1.5)),
    **dict.fromkeys(AFFINE_TYPES, (2, 4)),
}
"""Bits of a code, and bytes of scales for the 32 codes of a block of one output feature."""

AFFINE_BITS = {1: 2, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 8}
"""Bits that affine codes are kept in, by those they have in their file; each block has a scale and a bias."""


@dataclass(frozen=True, slots=True)
class CpuSizes:
    """Implements ``mlxr.metal.sizes.BackendSizes``.

    ``int16``: of what encoders' rows of floats must be a multiple to be kept as 16-bit codes; 0 where the CPU has no
    such products.
    """

    int16: int = 0
    name: str = "cpu"

    def matrix(self, form: MatrixForm, encoder: bool = False) -> int:
        panels, columns = -(-form.rows // LANES), form.columns
        if encoder and form.type in FLOATS and self._has_int16(columns):
            return panels * LANES * (columns * 2 + FLOAT_BYTES + 4)
        return panels * _panel_bytes(form)

    def table(self, form: MatrixForm) -> int:
        return self.matrix(form)

    def pool(self, spec: PoolSpec) -> int:
        return sum(map(group_bytes, spec.groups))

    def resident(self, spec: PoolSpec) -> int:
        """The system gives memory when it is written to; on Linux in huge pages, which each layer's keys and values
        begin anew, nearly."""
        return sum(len(part.group.layers) * sum(map(_in_huge_pages, part_bytes(part))) for part in spec.groups)

    def _has_int16(self, columns: int) -> bool:
        return bool(self.int16) and columns % self.int16 == 0 and columns <= MOST_INT16_COLUMNS


def group_bytes(part: GroupSpec) -> int:
    """Returns what the pages of one cache group take."""
    return len(part.group.layers) * sum(part_bytes(part))


def part_bytes(part: GroupSpec) -> list[int]:
    """Returns what one layer's pages take, each of their parts by itself: keys and values, or latents, in half
    precision or as codes of 8 bits; states in float32."""
    group = part.group
    if group.state_size is not None:
        return [part.pages * group.state_size * FLOAT_BYTES]
    tokens, kept = part.page_size, group.vectors
    if group.kind is CacheKind.LATENT:
        (latent,) = kept
        row = _code_bytes(latent) if latent.type is NumberType.INT8 else _whole(latent.dims) * HALF_BYTES
        return [part.pages * tokens * row]
    halves = [_whole(tokens) * group.head_dim * HALF_BYTES, tokens * _whole(group.head_dim) * HALF_BYTES]
    return [
        part.pages
        * vectors.count
        * (_whole(tokens) * _code_bytes(vectors) if vectors.type is NumberType.INT8 else half)
        for vectors, half in zip(kept, halves, strict=True)
    ]


def _code_bytes(kept: Vectors) -> int:
    """Returns what a vector takes as codes, filled up to whole lanes or blocks, and scales."""
    codes = _whole(kept.dims) if kept.block == kept.dims else kept.scales * kept.block
    return codes + kept.scales * SCALE_BYTES


def _in_huge_pages(nbytes: int) -> int:
    return -(-nbytes // HUGE_PAGE) * HUGE_PAGE if sys.platform == "linux" else nbytes


def _panel_bytes(form: MatrixForm) -> int:
    """Codes and scales of 16 output features."""
    columns, scales = form.columns, form.scales
    match form.type:
        case TensorType.F32 | TensorType.F16 | TensorType.BF16:
            return columns * LANES * FLOATS[form.type]
        case TensorType.FP8_E4M3 | TensorType.MXFP8:
            span = MX_GROUP if form.type is TensorType.MXFP8 else scales.group or columns
            return columns * LANES + -(-columns // span) * LANES * FLOAT_BYTES
        case TensorType.NF4:
            span = math.gcd(scales.group, columns)
            return -(-columns // 2) * LANES + -(-columns // span) * LANES * FLOAT_BYTES
        case TensorType.AFFINE:
            bits, beside = AFFINE_BITS[scales.bits], 2.0 * HALF_BYTES
        case type if type in CODES:
            bits, beside = CODES[type]
        case _:
            return -(-form.nbytes * LANES // form.rows)  # which no kernel takes: the load will say so
    return int(columns // BLOCK * LANES * (bits * BLOCK / 8 + beside))


def _whole(count: int) -> int:
    return -(-count // LANES) * LANES

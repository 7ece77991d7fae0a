"""What a vector of a page is on the device: 16-bit numbers, or bytes of codes, scales and filling."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from mlxr.metal.cache import SCALE_BYTES, NumberType, Vectors
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.sizes import packed_bytes
from mlxr.metal.reference.pages import dequantized, quantized


@dataclass(frozen=True, slots=True)
class Form:
    """Of the ``vectors`` of a token: rows of ``width`` elements of ``dtype``."""

    vectors: Vectors

    @property
    def type(self) -> NumberType:
        return self.vectors.type

    @property
    def dtype(self) -> mx.Dtype:
        return mx.uint8 if self.type is NumberType.INT8 else HALF

    @property
    def width(self) -> int:
        return packed_bytes(self.vectors) if self.type is NumberType.INT8 else self.vectors.dims

    @property
    def block(self) -> int:
        """Numbers that share a scale; 0 where they are 16-bit."""
        return self.vectors.block if self.type is NumberType.INT8 else 0

    def packed(self, numbers: mx.array) -> mx.array:
        """Returns ``numbers`` 16-bit ``[..., dims]`` as rows ``[..., width]``."""
        if self.type is NumberType.HALF:
            return numbers
        codes, scales = quantized(numbers.astype(mx.float32), self.vectors.block)
        filling = self.width - self._filled
        return mx.concatenate(
            [codes.view(mx.uint8), scales.view(mx.uint8), mx.zeros((*codes.shape[:-1], filling), mx.uint8)], axis=-1
        )

    def unpacked(self, rows: mx.array) -> mx.array:
        """Returns the numbers of rows ``[..., width]``, 16-bit ``[..., dims]``."""
        if self.type is NumberType.HALF:
            return rows
        codes, scales = rows[..., : self.vectors.dims], rows[..., self.vectors.dims : self._filled]
        halves = mx.contiguous(scales).view(mx.float16)
        return dequantized(codes.view(mx.int8), halves, self.vectors.block).astype(HALF)

    @property
    def _filled(self) -> int:
        return self.vectors.dims + self.vectors.scales * SCALE_BYTES

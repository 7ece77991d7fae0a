"""ggml's blocks taken apart on the device: ``value = code * scale + bias``, one scale and bias for each group of codes.

The layouts are those of ``ggml-common.h``; ``mlxr.metal.reference`` gives their meaning in NumPy. Every function takes
blocks as uint8 ``[n, block bytes]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx

from mlxr.metal.reference.legacy_quants import IQ4_VALUES
from mlxr.metal.tensors import TensorType

MIDDLE = 128
"""Signed bytes become codes from 0 to 255 by adding this."""

FP4_MIDDLE = 12
"""The largest of FP4's values, doubled."""


@dataclass(frozen=True, slots=True)
class Groups:
    """``codes`` uint8 ``[n, values]`` of ``bits`` bits; ``scales``, ``biases`` float32 ``[n, groups]``."""

    bits: int
    codes: mx.array
    scales: mx.array
    biases: mx.array

    @property
    def group_size(self) -> int:
        return int(self.codes.shape[1] // self.scales.shape[1])

    def values(self) -> mx.array:
        """Float32 ``[n, values]``."""
        grouped = self.codes.reshape(*self.scales.shape, self.group_size).astype(mx.float32)
        return (grouped * self.scales[..., None] + self.biases[..., None]).reshape(self.codes.shape)


def _half(blocks: mx.array, at: int) -> mx.array:
    """The float16 at byte ``at`` of each block, as float32 ``[n, 1]``."""
    return mx.contiguous(blocks[:, at : at + 2]).view(mx.float16).astype(mx.float32)


def _nibbles(packed: mx.array) -> mx.array:
    """``[..., k]`` bytes to ``[..., 2k]`` codes: all the low nibbles, then all the high ones."""
    return mx.concatenate([packed & 15, packed >> 4], axis=-1)


def _two_bits(packed: mx.array) -> mx.array:
    """64 bytes to 256 codes: within each 32 bytes, all lowest pairs of bits first, then the next higher."""
    shifts = mx.array([0, 2, 4, 6], mx.uint8)[:, None]
    return ((packed.reshape(-1, 2, 1, 32) >> shifts) & 3).reshape(-1, 256)


def _bits(packed: mx.array) -> mx.array:
    """``[n, k]`` bytes to ``[n, 8k]`` bits, each byte's lowest first."""
    return ((packed[:, :, None] >> mx.arange(8).astype(mx.uint8)) & 1).reshape(len(packed), -1)


def _planes(packed: mx.array) -> mx.array:
    """32 bytes to 256 bits: all lowest bits first."""
    return ((packed.reshape(-1, 1, 32) >> mx.arange(8).astype(mx.uint8)[:, None]) & 1).reshape(-1, 256)


def _signed(packed: mx.array) -> mx.array:
    return packed.view(mx.int8).astype(mx.float32)


def _six_bit_pairs(packed: mx.array) -> tuple[mx.array, mx.array]:
    """The 8 scales and 8 minimums of Q4_K and Q5_K, 6 bits each, from 12 bytes."""
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = mx.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], axis=1)
    minimums = mx.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], axis=1)
    return scales.astype(mx.float32), minimums.astype(mx.float32)


def _q4_0(blocks: mx.array) -> Groups:
    scale = _half(blocks, 0)
    return Groups(4, _nibbles(blocks[:, 2:]), scale, -8 * scale)


def _q4_1(blocks: mx.array) -> Groups:
    return Groups(4, _nibbles(blocks[:, 4:]), _half(blocks, 0), _half(blocks, 2))


def _q5_0(blocks: mx.array) -> Groups:
    scale = _half(blocks, 0)
    return Groups(5, _nibbles(blocks[:, 6:]) | (_bits(blocks[:, 2:6]) << 4), scale, -16 * scale)


def _q5_1(blocks: mx.array) -> Groups:
    codes = _nibbles(blocks[:, 8:]) | (_bits(blocks[:, 4:8]) << 4)
    return Groups(5, codes, _half(blocks, 0), _half(blocks, 2))


def _q8_0(blocks: mx.array) -> Groups:
    scale = _half(blocks, 0)
    return Groups(8, blocks[:, 2:] ^ MIDDLE, scale, -MIDDLE * scale)


def _q8_k(blocks: mx.array) -> Groups:
    scale = mx.repeat(mx.contiguous(blocks[:, 0:4]).view(mx.float32), 8, axis=1)
    return Groups(8, blocks[:, 4:260] ^ MIDDLE, scale, -MIDDLE * scale)


def _q4_k(blocks: mx.array) -> Groups:
    scales, minimums = _six_bit_pairs(blocks[:, 4:16])
    codes = _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 256)
    return Groups(4, codes, _half(blocks, 0) * scales, -_half(blocks, 2) * minimums)


def _q5_k(blocks: mx.array) -> Groups:
    scales, minimums = _six_bit_pairs(blocks[:, 4:16])
    low = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 256)
    return Groups(5, low | (_planes(blocks[:, 16:48]) << 4), _half(blocks, 0) * scales, -_half(blocks, 2) * minimums)


def _q2_k(blocks: mx.array) -> Groups:
    packed = blocks[:, 0:16]
    scale = _half(blocks, 80) * (packed & 15).astype(mx.float32)
    minimum = _half(blocks, 82) * (packed >> 4).astype(mx.float32)
    return Groups(2, _two_bits(blocks[:, 16:80]), scale, -minimum)


def _q3_k(blocks: mx.array) -> Groups:
    codes = _two_bits(blocks[:, 32:96]) | (_planes(blocks[:, 0:32]) << 2)
    packed = blocks[:, 96:108]
    low = _nibbles(packed[:, :8])
    high = ((packed[:, None, 8:12] >> mx.array([0, 2, 4, 6], mx.uint8)[:, None]) & 3).reshape(-1, 16)
    scale = _half(blocks, 108) * ((low | (high << 4)).astype(mx.float32) - 32)
    return Groups(3, codes, scale, -4 * scale)


def _q6_k(blocks: mx.array) -> Groups:
    low = _nibbles(blocks[:, 0:128].reshape(-1, 2, 64)).reshape(-1, 256)
    scale = _half(blocks, 208) * _signed(mx.contiguous(blocks[:, 192:208]))
    return Groups(6, low | (_two_bits(blocks[:, 128:192]) << 4), scale, -32 * scale)


def _levels(nibbles: mx.array) -> mx.array:
    """Codes of the 16 levels of the IQ4 formats, which are whole numbers of a byte."""
    return mx.array((IQ4_VALUES + MIDDLE).astype("uint8"))[nibbles]


def _iq4_nl(blocks: mx.array) -> Groups:
    scale = _half(blocks, 0)
    return Groups(8, _levels(_nibbles(blocks[:, 2:])), scale, -MIDDLE * scale)


def _iq4_xs(blocks: mx.array) -> Groups:
    low = _nibbles(blocks[:, 4:8, None]).reshape(-1, 8)
    high = ((blocks[:, 2:4, None] >> mx.array([0, 2, 4, 6], mx.uint8)) & 3).reshape(-1, 8)
    scale = _half(blocks, 0) * ((low | (high << 4)).astype(mx.float32) - 32)
    codes = _levels(_nibbles(blocks[:, 8:].reshape(-1, 8, 16))).reshape(-1, 256)
    return Groups(8, codes, scale, -MIDDLE * scale)


def _fp4(nibbles: mx.array) -> mx.array:
    """Codes of the 16 values of the FP4 formats: twice their size and 12 more, whole numbers from 0 to 24."""
    doubled = mx.array([0, 1, 2, 3, 4, 6, 8, 12], mx.uint8)[nibbles & 7]
    return mx.where(nibbles & 8, FP4_MIDDLE - doubled, FP4_MIDDLE + doubled)


def _mxfp4(blocks: mx.array) -> Groups:
    scale = 2.0 ** (blocks[:, 0:1].astype(mx.float32) - 128)
    return Groups(5, _fp4(_nibbles(blocks[:, 1:])), scale, -FP4_MIDDLE * scale)


def _nvfp4(blocks: mx.array) -> Groups:
    stored = blocks[:, 0:4] & 127
    exponent, mantissa = (stored >> 3).astype(mx.float32), (stored & 7).astype(mx.float32)
    scale = mx.where(exponent == 0, mantissa * 2.0**-9, (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    scale = mx.where(stored == 127, 0.0, 0.5 * scale)
    return Groups(5, _fp4(_nibbles(blocks[:, 4:].reshape(-1, 4, 8))).reshape(-1, 64), scale, -FP4_MIDDLE * scale)


SPLITTERS: dict[TensorType, Callable[[mx.array], Groups]] = {
    TensorType.Q4_0: _q4_0,
    TensorType.Q4_1: _q4_1,
    TensorType.Q5_0: _q5_0,
    TensorType.Q5_1: _q5_1,
    TensorType.Q8_0: _q8_0,
    TensorType.Q2_K: _q2_k,
    TensorType.Q3_K: _q3_k,
    TensorType.Q4_K: _q4_k,
    TensorType.Q5_K: _q5_k,
    TensorType.Q6_K: _q6_k,
    TensorType.Q8_K: _q8_k,
    TensorType.IQ4_NL: _iq4_nl,
    TensorType.IQ4_XS: _iq4_xs,
    TensorType.MXFP4: _mxfp4,
    TensorType.NVFP4: _nvfp4,
}
"""For every type made of whole numbers under scales."""

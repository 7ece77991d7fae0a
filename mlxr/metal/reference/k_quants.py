"""ggml's 256-value super-block formats to float32 (layouts: ``ggml-common.h``, formulas: ``ggml-quants.c``).

Every function takes blocks as uint8 ``[n, block bytes]`` and returns float32 ``[n, 256]``.
"""

from __future__ import annotations

import numpy as np

from mlxr.metal.reference.legacy_quants import IQ4_VALUES, Blocks, Values, half, nibbles

PAIRS = np.array([0, 2, 4, 6], np.uint8)[:, None]
BITS = np.arange(8, dtype=np.uint8)[:, None]


def two_bits(packed: Blocks) -> Blocks:
    """64 bytes to 256 values: within each 32 bytes, all lowest pairs of bits first, then the next higher."""
    return (packed.reshape(-1, 2, 1, 32) >> PAIRS) & np.uint8(3)


def bit_planes(packed: Blocks) -> Blocks:
    """32 bytes to 256 bits: all lowest bits first."""
    return (packed.reshape(-1, 1, 32) >> BITS) & np.uint8(1)


def scaled(scale: Values, levels: Values) -> Values:
    """``levels`` ``[n, 256]`` times one scale for each of the ``k`` runs they divide into (``scale`` ``[n, k]``)."""
    runs = levels.reshape(len(levels), scale.shape[1], -1)
    return (scale[:, :, None] * runs).reshape(len(levels), -1)


def shifted(scale: Values, levels: Values, minimum: Values) -> Values:
    """``scale * level - minimum``, with one scale and one minimum a run."""
    runs = levels.reshape(len(levels), scale.shape[1], -1)
    return (scale[:, :, None] * runs - minimum[:, :, None]).reshape(len(levels), -1)


def six_bit_pairs(packed: Blocks) -> tuple[Values, Values]:
    """Returns the 8 scales and 8 minimums of Q4_K and Q5_K, 6 bits each, from 12 bytes."""
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([low & 63, (high & 15) | (low >> 6 << 4)], axis=1)
    minimums = np.concatenate([middle & 63, (high >> 4) | (middle >> 6 << 4)], axis=1)
    return scales.astype(np.float32), minimums.astype(np.float32)


def q2_k(blocks: Blocks) -> Values:
    scales, packed = blocks[:, 0:16], blocks[:, 16:80]
    scale = half(blocks, 80) * (scales & 15).astype(np.float32)
    minimum = half(blocks, 82) * (scales >> 4).astype(np.float32)
    return shifted(scale, two_bits(packed).reshape(-1, 256).astype(np.float32), minimum)


def q3_k(blocks: Blocks) -> Values:
    high, packed, scales = blocks[:, 0:32], blocks[:, 32:96], blocks[:, 96:108]
    levels = two_bits(packed).reshape(-1, 256) | bit_planes(high).reshape(-1, 256) << 2
    low_bits = nibbles(scales[:, :8])
    high_bits = ((scales[:, None, 8:12] >> PAIRS) & 3).reshape(-1, 16)
    scale = half(blocks, 108) * ((low_bits | high_bits << 4).astype(np.float32) - 32)
    return scaled(scale, levels.astype(np.float32) - 4)


def q4_k(blocks: Blocks) -> Values:
    scales, minimums = six_bit_pairs(blocks[:, 4:16])
    levels = nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 256)
    return shifted(half(blocks, 0) * scales, levels.astype(np.float32), half(blocks, 2) * minimums)


def q5_k(blocks: Blocks) -> Values:
    scales, minimums = six_bit_pairs(blocks[:, 4:16])
    low = nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 256)
    levels = low | bit_planes(blocks[:, 16:48]).reshape(-1, 256) << 4
    return shifted(half(blocks, 0) * scales, levels.astype(np.float32), half(blocks, 2) * minimums)


def q6_k(blocks: Blocks) -> Values:
    low = nibbles(blocks[:, 0:128].reshape(-1, 2, 64)).reshape(-1, 256)
    levels = low | two_bits(blocks[:, 128:192]).reshape(-1, 256) << 4
    scale = half(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return scaled(scale, levels.astype(np.float32) - 32)


def q8_k(blocks: Blocks) -> Values:
    scale = np.ascontiguousarray(blocks[:, 0:4]).view("<f4")
    return scale * blocks[:, 4:260].view(np.int8).astype(np.float32)


def iq4_xs(blocks: Blocks) -> Values:
    low_bits = nibbles(blocks[:, 4:8, None]).reshape(-1, 8)
    high_bits = ((blocks[:, 2:4, None] >> PAIRS[:, 0]) & 3).reshape(-1, 8)
    scale = half(blocks, 0) * ((low_bits | high_bits << 4).astype(np.float32) - 32)
    return scaled(scale, IQ4_VALUES[nibbles(blocks[:, 8:].reshape(-1, 8, 16))].reshape(-1, 256))

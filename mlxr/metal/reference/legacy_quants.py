"""ggml's simple block formats, block by block to float32 (layouts: ``ggml-common.h``, formulas: ``ggml-quants.c``).

Every function takes blocks as uint8 ``[n, block bytes]`` and returns float32 ``[n, values]``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Blocks = NDArray[np.uint8]
Values = NDArray[np.float32]

IQ4_VALUES = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
"""The 16 levels that the IQ4 formats index (``kvalues_iq4nl``)."""


def half(blocks: Blocks, at: int) -> Values:
    """Returns the float16 at byte ``at`` of each block, as float32 ``[n, 1]``."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def nibbles(packed: Blocks) -> NDArray[np.uint8]:
    """``[..., k]`` bytes to ``[..., 2k]`` values: all the low nibbles, then all the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def q4_0(blocks: Blocks) -> Values:
    levels = nibbles(blocks[:, 2:]).astype(np.float32) - 8
    return half(blocks, 0) * levels


def q4_1(blocks: Blocks) -> Values:
    return half(blocks, 0) * nibbles(blocks[:, 4:]).astype(np.float32) + half(blocks, 2)


def q5_0(blocks: Blocks) -> Values:
    levels = (nibbles(blocks[:, 6:]) | fifth_bits(blocks[:, 2:6])).astype(np.float32) - 16
    return half(blocks, 0) * levels


def q5_1(blocks: Blocks) -> Values:
    levels = nibbles(blocks[:, 8:]) | fifth_bits(blocks[:, 4:8])
    return half(blocks, 0) * levels.astype(np.float32) + half(blocks, 2)


def fifth_bits(packed: Blocks) -> NDArray[np.uint8]:
    """32 bits, value 0's lowest, each moved to bit 4 of its value."""
    return np.unpackbits(packed, axis=-1, bitorder="little") << np.uint8(4)


def q8_0(blocks: Blocks) -> Values:
    return half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def iq4_nl(blocks: Blocks) -> Values:
    return half(blocks, 0) * IQ4_VALUES[nibbles(blocks[:, 2:])]


def q1_0(blocks: Blocks) -> Values:
    """128 bits, value 0's lowest: the scale where one is set, less than nothing where not."""
    return half(blocks, 0) * (2 * np.unpackbits(blocks[:, 2:], axis=-1, bitorder="little").astype(np.float32) - 1)


def q2_0(blocks: Blocks) -> Values:
    """64 codes of 2 bits, value 0's lowest: -1, 0, 1 or 2 times the scale."""
    codes = blocks[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3
    return half(blocks, 0) * (codes.reshape(len(blocks), -1).astype(np.float32) - 1)

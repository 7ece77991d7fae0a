"""Floating codes of few bits under shared scales (OCP Microscaling Formats 1.0, NVIDIA's NVFP4), in blocks and apart.

ggml's blocks have a scale beside their codes, and nibbles of a block's first half beside those of its second. Folders
(MLX's, Hugging Face's) have codes and scales in two tensors, and nibbles in the order of the values, the first lowest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MX_GROUP = 32
NV_GROUP = 16
"""Values that share a scale."""
NV_BLOCK = 64

Bytes = NDArray[np.uint8]


def mxfp4_blocks(packed: Bytes, exponents: Bytes) -> Bytes:
    """Returns blocks ``[rows, bytes]`` of codes in order ``[rows, columns / 2]`` and E8M0 ``[rows, columns / 32]``."""
    rows, blocks = exponents.shape
    halves = by_halves(packed.reshape(rows, blocks, MX_GROUP // 2))
    return np.concatenate([exponents[..., None], halves], axis=-1).reshape(rows, -1)


def mxfp4_parts(blocks: Bytes) -> tuple[Bytes, Bytes]:
    """Returns codes and exponents that ``mxfp4_blocks`` has ``blocks`` from."""
    rows = len(blocks)
    apart = blocks.reshape(rows, -1, 1 + MX_GROUP // 2)
    return _in_order(apart[..., 1:]).reshape(rows, -1), apart[..., 0].copy()


def nvfp4_blocks(packed: Bytes, scales: Bytes) -> Bytes:
    """Returns blocks ``[rows, bytes]`` of codes in order ``[rows, columns / 2]`` and E4M3 ``[rows, columns / 16]``."""
    rows, groups = scales.shape
    per_block = NV_BLOCK // NV_GROUP
    halves = by_halves(packed.reshape(rows, groups, NV_GROUP // 2)).reshape(rows, groups // per_block, -1)
    return np.concatenate([scales.reshape(rows, -1, per_block), halves], axis=-1).reshape(rows, -1)


def nvfp4_parts(blocks: Bytes) -> tuple[Bytes, Bytes]:
    """Returns codes and scales that ``nvfp4_blocks`` has ``blocks`` from."""
    rows, per_block = len(blocks), NV_BLOCK // NV_GROUP
    apart = blocks.reshape(rows, -1, per_block + NV_BLOCK // 2)
    codes = _in_order(apart[..., per_block:].reshape(rows, -1, NV_GROUP // 2))
    return codes.reshape(rows, -1), apart[..., :per_block].reshape(rows, -1)


def mxfp8_blocks(codes: Bytes, exponents: Bytes) -> Bytes:
    """Returns blocks ``[rows, bytes]`` of E4M3 ``[rows, columns]`` and E8M0 ``[rows, columns / 32]``."""
    rows, blocks = exponents.shape
    apart = codes.reshape(rows, blocks, MX_GROUP)
    return np.concatenate([exponents[..., None], apart], axis=-1).reshape(rows, -1)


def mxfp8_parts(blocks: Bytes) -> tuple[Bytes, Bytes]:
    """Returns codes and exponents that ``mxfp8_blocks`` has ``blocks`` from."""
    rows = len(blocks)
    apart = blocks.reshape(rows, -1, 1 + MX_GROUP)
    return apart[..., 1:].reshape(rows, -1), apart[..., 0].copy()


def powers(exponents: Bytes) -> NDArray[np.float32]:
    """Returns what E8M0 codes stand for: powers of two, and NaN for 255."""
    values = np.ldexp(np.float32(1), exponents.astype(np.int32) - 127)
    return np.where(exponents == 255, np.float32(np.nan), values).astype(np.float32)


def by_halves(packed: Bytes) -> Bytes:
    """Returns nibbles in order, ``[..., bytes]`` of a group, as those of its first half beside its second's."""
    half = packed.shape[-1] // 2
    first, second = packed[..., :half], packed[..., half:]
    out = np.empty_like(packed)
    out[..., ::2] = first & np.uint8(15) | second << np.uint8(4)
    out[..., 1::2] = first >> np.uint8(4) | second & np.uint8(240)
    return out


def _in_order(halves: Bytes) -> Bytes:
    values = np.concatenate([halves & np.uint8(15), halves >> np.uint8(4)], axis=-1)
    packed: Bytes = values[..., ::2] | values[..., 1::2] << np.uint8(4)
    return packed

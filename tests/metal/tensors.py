"""Random tensors of every storage type, for tests of any backend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.affine import affine
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType, row_bytes

HALVES: dict[TensorType, tuple[int, ...]] = {
    TensorType.Q4_0: (0,),
    TensorType.Q4_1: (0, 2),
    TensorType.Q5_0: (0,),
    TensorType.Q5_1: (0, 2),
    TensorType.Q8_0: (0,),
    TensorType.Q2_K: (80, 82),
    TensorType.Q3_K: (108,),
    TensorType.Q4_K: (0, 2),
    TensorType.Q5_K: (0, 2),
    TensorType.Q6_K: (208,),
    TensorType.IQ4_NL: (0,),
    TensorType.IQ4_XS: (0,),
    TensorType.IQ1_S: (0,),
    TensorType.IQ2_XXS: (0,),
    TensorType.IQ2_XS: (0,),
    TensorType.IQ2_S: (0,),
    TensorType.IQ3_XXS: (0,),
    TensorType.IQ3_S: (0,),
    TensorType.TQ1_0: (52,),
    TensorType.TQ2_0: (64,),
    TensorType.Q1_0: (0,),
    TensorType.Q2_0: (0,),
}
"""Where a block keeps half-precision scales; all its other bytes may be anything."""


Matrix = NDArray[np.float32]


def normal(seed: int, *shape: int, scale: float = 1.0) -> Matrix:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def float_tensor(values: NDArray[np.float32], name: str = "w") -> Tensor:
    return Tensor(
        name, TensorType.F32, values.shape, np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    )


def random_tensor(type: TensorType, rows: int, columns: int, rng: np.random.Generator, scale: float = 0.02) -> Tensor:
    """Random codes under scales of about ``scale``."""
    match type:
        case TensorType.F32:
            return float_tensor(rng.normal(0, scale, (rows, columns)).astype(np.float32))
        case TensorType.F16:
            data = rng.normal(0, scale, (rows, columns)).astype(np.float16).view(np.uint8)
            return Tensor("w", type, (rows, columns), data)
        case TensorType.BF16:
            wide = rng.normal(0, scale, (rows, columns)).astype(np.float32).view(np.uint32)
            return Tensor("w", type, (rows, columns), (wide >> 16).astype(np.uint16).view(np.uint8))
        case TensorType.FP8_E4M3:
            codes = rng.integers(0, 127, (rows, columns)).astype(np.uint8) | rng.choice(
                [0, 128], (rows, columns)
            ).astype(np.uint8)
            blocks = rng.uniform(0.5, 1, (-(-rows // 16), -(-columns // 32))).astype(np.float32) * scale
            extras = {"scale": blocks, "block": np.array([16, 32], np.int32)}
            return Tensor("w", type, (rows, columns), codes, extras)
        case TensorType.NF4:
            codes = rng.integers(0, 256, (rows, columns // 2)).astype(np.uint8)
            return Tensor("w", type, (rows, columns), codes, _nf4_extras(rows * columns, rng, scale))
        case TensorType.AFFINE:
            return random_affine(4, 64, rows, columns, rng, scale)
    values, size = BLOCKS[type]
    data = rng.integers(0, 256, (rows, columns // values, size)).astype(np.uint8)
    shape = data.shape[:2]
    if type is TensorType.Q8_K:
        data[..., :4] = (rng.uniform(0.5, 1, (*shape, 1)) * scale).astype(np.float32).view(np.uint8)
    if type is TensorType.IQ1_M:  # the half float's bits are the upper four of each of the last words
        bits = (rng.uniform(0.5, 1, shape) * scale).astype(np.float16).view(np.uint16)
        for word in range(4):
            data[..., 49 + 2 * word] = data[..., 49 + 2 * word] & 15 | (bits >> 4 * word & 15).astype(np.uint8) << 4
    if type is TensorType.MXFP8:
        data[..., 1:] = np.where(data[..., 1:] & 127 == 127, 126, data[..., 1:])  # which is no number
    if type in (TensorType.MXFP4, TensorType.MXFP8):
        data[..., 0] = rng.integers(118, 124, shape)
    if type is TensorType.NVFP4:  # scales have no sign
        data[..., :4] = rng.integers(0, 64, (*shape, 4))
    for at in HALVES.get(type, ()):
        data[..., at : at + 2] = (rng.uniform(0.5, 1, (*shape, 1)) * scale).astype(np.float16).view(np.uint8)
    return Tensor("w", type, (rows, columns), data.reshape(rows, row_bytes(type, columns)))


def random_affine(
    bits: int, group: int, rows: int, columns: int, rng: np.random.Generator, scale: float = 0.02
) -> Tensor:
    """Random codes of so many bits, scales and biases being half floats."""
    codes = rng.integers(0, 256, (rows, columns * bits // 8)).astype(np.uint8)
    scales = (rng.uniform(0.5, 1, (rows, columns // group)) * scale / 2 ** (bits - 4)).astype(np.float16)
    biases = (-scales.astype(np.float32) * rng.uniform(0.3, 0.7, scales.shape) * 2**bits).astype(np.float16)
    return affine("w", (rows, columns), bits, group, codes, scales.astype(np.float32), biases.astype(np.float32))


def _nf4_extras(values: int, rng: np.random.Generator, scale: float) -> dict[str, NDArray[np.generic]]:
    return {
        "absmax": rng.uniform(0.5, 1, -(-values // 64)).astype(np.float32) * scale,
        "block": np.array(64, np.int32),
        "map": np.sort(rng.uniform(-1, 1, 16)).astype(np.float32),
    }

"""Matrices that MLX quantized (``mx.quantize``, mode ``affine``), as mlx-lm writes them into folders.

A matrix ``X.weight`` is packed codes, uint32 ``[out, in * bits / 32]``, values side by side from the lowest bit up;
``X.scales`` and ``X.biases`` ``[out, in / group_size]`` belong to it: ``value = code * scale + bias``. That is what
ggml's Q4_1 and Q5_1 hold for groups of 32, so codes of 4 and 5 bits are read as those, scales and biases rounded to
float16 where they are something else; codes of other sizes are read as float16 numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.modelfile import StoredTensor

SETTING = "quantization"
"""The key of ``config.json`` by which such a folder is known."""

GROUP_SIZES = (32, 64, 128)
BITS = (2, 3, 4, 5, 6, 8)
BLOCK = 32
"""Values of a block of Q4_1 and Q5_1."""
CHUNK_VALUES = 1 << 22
"""Unpacked at once: bounds the intermediate arrays to some tens of megabytes."""

Codes = NDArray[np.uint8]
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Quantization:
    """``bits`` a code, ``group_size`` codes with one scale and one bias."""

    bits: int
    group_size: int


class QuantizedTensor(StoredTensor):
    """A matrix in three stored parts, read as one tensor of a type that backends know."""

    __slots__ = ("_biases", "_codes", "_quantization", "_scales")

    def __init__(
        self, codes: StoredTensor, scales: StoredTensor, biases: StoredTensor, quantization: Quantization
    ) -> None:
        bits = quantization.bits
        shape = codes.shape[0], codes.shape[1] * 32 // bits
        nbytes = codes.nbytes + scales.nbytes + biases.nbytes
        type = {4: TensorType.Q4_1, 5: TensorType.Q5_1}.get(bits, TensorType.F16)
        super().__init__(codes.file, codes.name, type, shape, codes.start, nbytes, f"{bits}-bit")
        self._codes, self._scales, self._biases, self._quantization = codes, scales, biases, quantization

    def read(self) -> Tensor:
        scales, biases = (dequantize(part.read()) for part in (self._scales, self._biases))
        packed = self.file.values(self._codes.start, self._codes.nbytes).reshape(self.shape[0], -1)
        self.file.require_unchanged()
        step = max(1, CHUNK_VALUES // self.shape[1])
        encode = ENCODERS[self.require_type()]
        rows = [
            encode(
                unpacked(packed[start : start + step], self._quantization.bits),
                scales[start : start + step],
                biases[start : start + step],
            )
            for start in range(0, self.shape[0], step)
        ]
        return Tensor(self.name, self.require_type(), self.shape, np.concatenate(rows))

    def read_row(self) -> Tensor:
        whole = self.read()
        return Tensor(self.name, whole.type, self.shape[1:], whole.data[:1])


def joined(path: Path, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Returns the tensors of a folder with the parts of each quantized matrix as one.

    Raises ``UnsupportedModelError`` for another mode, ``ModelFileError`` for settings or parts that don't fit together.
    """
    settings = config.get(SETTING)
    if settings is None:
        return dict(tensors)
    if not isinstance(settings, dict):
        raise ModelFileError(path, f"has a {SETTING} that is no object")
    found = dict(tensors)
    for name in [name for name in tensors if name.endswith(".scales")]:
        module = name.removesuffix(".scales")
        parts = [found.pop(f"{module}.{part}", None) for part in ("weight", "scales", "biases")]
        codes, scales, biases = parts
        if codes is None or scales is None or biases is None:
            raise ModelFileError(path, f"has the tensor {name[:100]!r} without its weight and biases")
        quantization = _quantization(path, settings, module)
        _check_shapes(path, codes, scales, biases, quantization)
        found[f"{module}.weight"] = QuantizedTensor(codes, scales, biases, quantization)
    return found


def unpacked(packed: Codes, bits: int) -> Codes:
    """The codes of bytes ``[rows, n]``: uint8 ``[rows, n * 8 / bits]``."""
    if bits == 8:
        return packed
    if bits == 4:
        return np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1)
    each = np.unpackbits(packed, axis=1, bitorder="little").reshape(len(packed), -1, bits)
    return np.packbits(each, axis=-1, bitorder="little").reshape(len(packed), -1)


def _quantization(path: Path, settings: Mapping[str, Any], module: str) -> Quantization:
    """What holds for a ``module``: its own settings, or those for all."""
    own = settings.get(module)
    given = {**settings, **own} if isinstance(own, dict) else settings
    if (mode := given.get("mode", "affine")) != "affine":
        raise UnsupportedModelError(path, f"is quantized in MLX's mode {str(mode)[:40]!r}; mlxr reads affine")
    bits, group_size = given.get("bits"), given.get("group_size")
    if bits not in BITS or group_size not in GROUP_SIZES:
        reason = f"quantizes {module[:100]} to {str(bits)[:20]} bits in groups of {str(group_size)[:20]}"
        raise UnsupportedModelError(path, f"{reason}; mlxr reads {BITS} bits in groups of {GROUP_SIZES}")
    return Quantization(bits, group_size)


def _check_shapes(
    path: Path, codes: StoredTensor, scales: StoredTensor, biases: StoredTensor, quantization: Quantization
) -> None:
    for part in (scales, biases):
        part.require_type()
    bits, size = quantization.bits, quantization.group_size
    packed = len(codes.shape) == 2 and codes.stored_as == "U32" and codes.shape[1] * 32 % bits == 0
    inputs = codes.shape[1] * 32 // bits if packed else 0
    if not packed or inputs % size or not scales.shape == biases.shape == (codes.shape[0], inputs // size):
        shapes = f"{codes.shape}, {scales.shape} and {biases.shape}"
        reason = f"has {codes.name!r} with scales and biases of the shapes {shapes}"
        raise ModelFileError(path, f"{reason}, which {bits} bits in groups of {size} do not make")


def _spread(codes: Codes, values: NDArray[np.float32]) -> Halves:
    """A scale or bias for each block of 32: float16 ``[rows, blocks]``."""
    with np.errstate(over="ignore"):  # a damaged scale may be infinite; the logits will show it
        return np.repeat(values.astype(np.float16), codes.shape[1] // BLOCK // values.shape[1], axis=1)


def _q4_1(codes: Codes, scales: NDArray[np.float32], biases: NDArray[np.float32]) -> Codes:
    return _blocks(codes, scales, biases, [])


def _q5_1(codes: Codes, scales: NDArray[np.float32], biases: NDArray[np.float32]) -> Codes:
    high = np.packbits((codes >> 4).reshape(len(codes), -1, BLOCK), axis=-1, bitorder="little")
    return _blocks(codes & np.uint8(15), scales, biases, [high])


def _blocks(codes: Codes, scales: NDArray[np.float32], biases: NDArray[np.float32], high: list[Codes]) -> Codes:
    """A scale, a bias, the high bits if there are any, and nibbles: each byte a value of the first half and one of the
    second."""
    rows = len(codes)
    halves = codes.reshape(rows, -1, 2, BLOCK // 2)
    ends = [_spread(codes, part)[..., None].view(np.uint8).reshape(rows, -1, 2) for part in (scales, biases)]
    return np.concatenate([*ends, *high, halves[:, :, 0] | (halves[:, :, 1] << 4)], axis=-1).reshape(rows, -1)


def _f16(codes: Codes, scales: NDArray[np.float32], biases: NDArray[np.float32]) -> Codes:
    grouped = codes.reshape(*scales.shape, -1).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        values = grouped * scales[..., None] + biases[..., None]
        return values.reshape(len(codes), -1).astype(np.float16).view(np.uint8)


ENCODERS: dict[TensorType, Callable[[Codes, NDArray[np.float32], NDArray[np.float32]], Codes]] = {
    TensorType.Q4_1: _q4_1,
    TensorType.Q5_1: _q5_1,
    TensorType.F16: _f16,
}

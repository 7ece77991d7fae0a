"""The tensors that a quantized matrix consists of, and the one that they are read as."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import affine
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.sizes import NO_SCALES, Scales
from mlxr.metal.tensor_rows import rows_of
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.errors import AGAIN, ONE_VERSION, ModelFileError, UnsupportedModelError
from mlxr.models.modelfile import StoredTensor

INTEGERS: dict[str, np.dtype[Any]] = {
    "I8": np.dtype("<i1"),
    "U8": np.dtype("<u1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "F8_E8M0": np.dtype("<u1"),
    "F8_E4M3": np.dtype("<u1"),
}
"""Types of safetensors by their names; those of 8-bit floats as their codes."""

CHUNK_VALUES = 1 << 22
"""Dequantized at once: bounds the intermediate arrays to some tens of megabytes."""

Floats = NDArray[np.float32]


class AssembledTensor(StoredTensor):
    """A matrix in several stored ``parts``, the first of which names its place; ``make`` reads it, as a matrix of two
    dimensions however many ``shape`` has."""

    __slots__ = ("_make", "_parts")

    def __init__(
        self,
        name: str,
        type: TensorType,
        shape: tuple[int, ...],
        parts: Sequence[StoredTensor],
        stored_as: str,
        make: Callable[[], Tensor],
        scales: Scales = NO_SCALES,
    ) -> None:
        first = parts[0]
        nbytes = sum(part.nbytes for part in parts)
        super().__init__(first.file, name, type, shape, first.start, nbytes, stored_as, scales)
        self._parts, self._make = parts, make

    def read(self) -> Tensor:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # damaged scales: the logits will show it
            tensor = self._make()
        for part in self._parts:
            part.file.require_unchanged()
        return tensor

    def read_rows(self, first: int, count: int) -> Tensor:
        return rows_of(self.read(), first, first + count)


class Parts:
    """The tensors of a folder that are not assembled into matrices yet; ``take`` removes one.

    ``settings``: the file that says how they are quantized.
    ``notes``: what is to be said of how they are read, a sentence each.
    """

    def __init__(self, path: Path, tensors: Mapping[str, StoredTensor], settings: str) -> None:
        self.path = path
        self.settings = path / settings
        self.tensors = dict(tensors)
        self.notes: dict[str, None] = {}

    def modules(self, suffix: str) -> list[str]:
        """Names of modules that have a tensor ``MODULE.suffix``."""
        ending = f".{suffix}"
        return [name.removesuffix(ending) for name in self.tensors if name.endswith(ending)]

    def take(self, module: str, suffix: str) -> StoredTensor:
        """Raises ``ModelFileError`` where the module lacks it."""
        found = self.optional(module, suffix)
        if found is None:
            raise self.lacks(module, suffix, "a part")
        return found

    def optional(self, module: str, suffix: str) -> StoredTensor | None:
        return self.tensors.pop(f"{module}.{suffix}", None)

    def put(self, tensor: StoredTensor) -> None:
        self.tensors[tensor.name] = tensor

    def drop(self, suffixes: Sequence[str], note: str) -> None:
        """Leaves tensors out, saying so where there are any."""
        for suffix in suffixes:
            for module in self.modules(suffix):
                del self.tensors[f"{module}.{suffix}"]
                self.note(note)

    def note(self, text: str) -> None:
        self.notes[text] = None

    def lacks(self, module: str, suffix: str, what: str) -> ModelFileError:
        """Returns the error for a module without a tensor, which is ``what`` of its matrix."""
        reason = f"lacks the tensor {f'{module}.{suffix}'[:120]!r}, {what} of a quantized matrix"
        return ModelFileError(self.path, f"{reason}; fetch all files of the model")

    def error(self, reason: str) -> ModelFileError:
        """Returns the error for settings that can't be: with their file and the way out."""
        return ModelFileError(self.settings, f"{reason}; {AGAIN}")

    def unsupported(self, reason: str) -> UnsupportedModelError:
        """Returns the error for settings that mlxr does not run, which say what it does: with their file."""
        return UnsupportedModelError(self.settings, reason)


def misshapen(name: str, why: str, *parts: StoredTensor) -> ModelFileError:
    """Returns the error for ``parts`` that do not fit together."""
    shapes = ", ".join(f"{part.name.rpartition('.')[2][:40]} {part.stored_as[:10]} {part.shape}" for part in parts)
    return ModelFileError(parts[0].file.path, f"has {name[:100]!r} of {shapes}, which {why}; {ONE_VERSION}")


def integers(tensor: StoredTensor) -> NDArray[Any]:
    """Returns whole numbers, or the codes of 8-bit floats, of a tensor's shape."""
    data = tensor.file.values(tensor.start, tensor.nbytes)
    return np.frombuffer(data, INTEGERS[tensor.stored_as]).reshape(tensor.shape)


def floats(tensor: StoredTensor) -> Floats:
    """Returns numbers float32 of a tensor's shape."""
    return dequantize(tensor.read()).reshape(tensor.shape)


def require_stored(name: str, tensor: StoredTensor, *types: str) -> None:
    """Raises ``UnsupportedModelError`` where a part is of another type than its scheme has."""
    if tensor.stored_as not in types:
        reason = f"stores {tensor.name[:100]!r} as {tensor.stored_as[:20]}, where its scheme has {' or '.join(types)}"
        raise UnsupportedModelError(tensor.file.path, reason)


FLOATS = ("F32", "F16", "BF16")


def affine_or_half(
    name: str,
    shape: tuple[int, int],
    bits: int,
    group: int,
    parts: Sequence[StoredTensor],
    stored_as: str,
    read: Callable[[], tuple[NDArray[np.uint8], Floats, Floats]],
) -> AssembledTensor:
    """Returns a matrix of affine codes. ``read``: gives packed codes, scales and biases as ``affine.affine`` takes
    them. Groups that no backend has become 16-bit floats."""
    kept = group % affine.LEAST_GROUP == 0 and bits in affine.BITS

    def make() -> Tensor:
        packed, scales, biases = read()
        codes = affine.affine(name, shape, bits, group, packed, scales, biases)
        return codes if kept else half(name, affine.dequantized(codes))

    type, kind = (TensorType.AFFINE, Scales(bits, group)) if kept else (TensorType.F16, NO_SCALES)
    return AssembledTensor(name, type, shape, parts, stored_as, make, kind)


def half(name: str, values: Floats) -> Tensor:
    """Returns a matrix of float16."""
    with np.errstate(over="ignore"):
        return Tensor(name, TensorType.F16, values.shape, values.astype("<f2").view(np.uint8))

"""One open file of a model, read by position and bounds.

Nothing is mapped into memory: a mapped file that somebody cuts short ends the process that looks at it (SIGBUS). What
was opened stays open, so that a file put in its place by another name does no harm; one that is changed in place is
noticed.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.sizes import NO_SCALES, Scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.errors import AGAIN, ModelFileError, UnsupportedModelError
from mlxr.runtime.regular_files import open_regular

PIECE_BYTES = 16 << 20
"""Read at once: systems refuse, or cut short, reads of 2 GiB."""

POINTER = b"version https://git-lfs.github.com/spec/"
LONGEST_POINTER = 1024
"""How a file begins that Git LFS puts in another's place (its ``docs/spec.md``), and below how many bytes it is."""

CHANGED = "changed while it was read; load the model again when the file is whole"


class ModelFile:
    """``size``: bytes when it was opened. Closed with the last reference to it.

    Raises ``ModelFileError`` where it can't be opened, is no regular file, or what Git LFS puts in a file's place.
    """

    __slots__ = ("_descriptor", "_identity", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            with open_regular(path) as file:
                self._descriptor = os.dup(file.fileno())
        except OSError as error:
            raise ModelFileError(path, f"can't be read: {error.strerror or error}") from error
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        self._identity = _identity(status)
        if self.size < LONGEST_POINTER and os.pread(self._descriptor, len(POINTER), 0) == POINTER:
            raise ModelFileError(path, "stands for a file that Git LFS has; fetch that, as `git lfs pull` does")

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, start: int, count: int) -> bytes:
        """``count`` bytes from ``start``, within ``size``. Raises ``ModelFileError`` for a file that became shorter."""
        if count <= PIECE_BYTES:
            data = os.pread(self._descriptor, count, start)
            if len(data) == count:
                return data
        return self.values(start, count).tobytes()

    def values(self, start: int, count: int) -> NDArray[np.uint8]:
        """As ``read``, as an array of its own."""
        out = np.empty(count, np.uint8)
        done = 0
        while done < count:
            piece = os.pread(self._descriptor, min(count - done, PIECE_BYTES), start + done)
            if not piece:
                raise ModelFileError(self.path, CHANGED, start + done)
            out[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
        return out

    def require_unchanged(self) -> None:
        """Raises ``ModelFileError`` where the file was written to since it was opened."""
        if _identity(os.fstat(self._descriptor)) != self._identity:
            raise ModelFileError(self.path, CHANGED)


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


class StoredTensor:
    """A tensor's entry in a header, and where its data lie: ``nbytes`` from byte ``start`` of ``file``.

    ``shape``: outermost dimension first. ``type``: None for one that mlxr does not read, which ``stored_as`` names.
    ``scales``: what the type keeps beside its blocks.
    """

    __slots__ = ("file", "name", "nbytes", "scales", "shape", "start", "stored_as", "type")

    def __init__(
        self,
        file: ModelFile,
        name: str,
        type: TensorType | None,
        shape: tuple[int, ...],
        start: int,
        nbytes: int,
        stored_as: str = "",
        scales: Scales = NO_SCALES,
    ) -> None:
        self.file = file
        self.name = name
        self.type = type
        self.shape = shape
        self.start = start
        self.nbytes = nbytes
        self.stored_as = stored_as or str(type)
        self.scales = scales

    def read(self) -> Tensor:
        """Returns the tensor with its data. Raises ``ModelFileError`` where the file has changed since it was opened,
        ``UnsupportedModelError`` for a type that mlxr does not read."""
        return self._read(self.shape, self.nbytes)

    def read_rows(self, first: int, count: int) -> Tensor:
        """``count`` rows from ``first`` on, whatever dimensions lie above rows, as a matrix."""
        row = self.nbytes // self.rows
        return self._read((count, self.shape[-1]), count * row, first * row)

    def require_type(self) -> TensorType:
        """Raises ``UnsupportedModelError`` for a type that mlxr does not read."""
        if self.type is None:
            reason = f"stores tensor {self.name!r} as {self.stored_as[:40]}, which mlxr does not read"
            raise UnsupportedModelError(self.file.path, f"{reason}; take the model in another type")
        return self.type

    @property
    def rows(self) -> int:
        """How many rows it has, whatever dimensions lie above them."""
        return math.prod(self.shape[:-1])

    def _read(self, shape: tuple[int, ...], nbytes: int, skipped: int = 0) -> Tensor:
        type = self.require_type()
        data = self.file.values(self.start + skipped, nbytes)
        self.file.require_unchanged()
        return Tensor(self.name, type, shape, data.reshape(math.prod(shape[:-1]), -1))


def require_apart(tensors: dict[str, StoredTensor]) -> None:
    """Raises ``ModelFileError`` where two tensors of one file share bytes: a small file could ask for any memory."""
    end, before = 0, ""
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.start):
        if tensor.start < end:
            reason = f"puts the tensors {before!r} and {tensor.name!r} into the same bytes; {AGAIN}"
            raise ModelFileError(tensor.file.path, reason, tensor.start)
        end, before = tensor.start + tensor.nbytes, tensor.name

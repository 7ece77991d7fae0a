"""Writing a model's tensors in other types: slab by slab on several threads, never a whole model in memory.

Each slab, some rows of one tensor, is read, decoded and encoded by one thread; slabs are written in their order.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensor_rows import rows_of
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.pairs import Pair
from mlxr.models.formats.gguf.writer import Entry, alignment_of, header, padding
from mlxr.models.quantization.ggml import NUMBERS, Ggml

Buffer = bytes | memoryview
SLAB_VALUES = 1 << 20
"""Values that one thread works on at a time: 4 MiB as float32."""

Advanced = Callable[[int, int], None]
"""Hears how many bytes of how many are written."""


class Source(Protocol):
    """A tensor that can be read by rows: ``StoredTensor``, or what is made of several."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def type(self) -> TensorType | None: ...
    @property
    def rows(self) -> int: ...
    def read_rows(self, first: int, count: int) -> Tensor: ...


class Whole:
    """A tensor made by ``make`` at once, of which rows are then taken: read when it is first asked for, and forgotten
    when its last row was."""

    def __init__(self, name: str, type: TensorType, shape: tuple[int, ...], make: Callable[[], Tensor]) -> None:
        self.name, self.type, self.shape, self._make = name, type, shape, make
        self.rows = int(np.prod(shape[:-1], dtype=np.int64))
        self._left = self.rows
        self._made: Tensor | None = None
        self._lock = threading.Lock()

    def read_rows(self, first: int, count: int) -> Tensor:
        with self._lock:
            tensor = self._made or self._make()
            self._left -= count
            self._made = tensor if self._left > 0 else None
        return rows_of(tensor, first, first + count)


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor to write.

    name, type: in the new file.
    importance: float32 ``[experts, columns]``; None without any.
    path: of the file that it comes from, for errors.
    """

    name: str
    type: TensorType
    source: Source
    path: Path
    importance: NDArray[np.float32] | None = None

    @property
    def entry(self) -> Entry:
        return Entry(self.name, self.type, self.source.shape)


def write_model(
    file: BinaryIO, pairs: Sequence[Pair], outputs: Sequence[Output], threads: int, advanced: Advanced
) -> str:
    """Writes a GGUF model to an empty ``file``; returns its SHA-256 in hexadecimal.

    Raises ``ModelFileError`` for a tensor that can't be read or encoded, ``NoEncoder``, and ``OSError`` where the disk
    is full.
    """
    ggml = Ggml()
    for type in {output.type for output in outputs}:
        ggml.prepare(type)
    digest = hashlib.sha256()
    alignment = alignment_of(pairs)
    total = sum(output.entry.nbytes for output in outputs)
    done = 0

    def put(data: Buffer) -> None:
        digest.update(data)
        file.write(data)

    put(header(pairs, [output.entry for output in outputs]))
    with ThreadPoolExecutor(threads, thread_name_prefix="encode") as pool:
        waiting: deque[tuple[Output, bool, Future[NDArray[np.uint8]]]] = deque()

        def write_next() -> None:
            nonlocal done
            output, last, encoded = waiting.popleft()
            data = encoded.result()
            put(np.ascontiguousarray(data).data)
            done += data.nbytes
            if last:
                put(padding(output.entry.nbytes, alignment))
            advanced(done, total)

        try:
            for output in outputs:
                for first, count, last in slabs(output.source.shape, output.source.rows):
                    waiting.append((output, last, pool.submit(_encode, ggml, output, first, count)))
                    if len(waiting) > 2 * threads + 2:
                        write_next()
            while waiting:
                write_next()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return digest.hexdigest()


def slabs(shape: tuple[int, ...], rows: int) -> Iterator[tuple[int, int, bool]]:
    """Returns first row, count of rows and whether it is the last, for each slab; none crosses from one expert's
    matrix to another's."""
    matrix = shape[-2] if len(shape) > 1 else 1
    step = max(1, SLAB_VALUES // shape[-1])
    for begin in range(0, rows, matrix):
        for first in range(begin, begin + matrix, step):
            count = min(step, begin + matrix - first)
            yield first, count, first + count == rows


def _encode(ggml: Ggml, output: Output, first: int, count: int) -> NDArray[np.uint8]:
    tensor = output.source.read_rows(first, count)
    if tensor.type is output.type and not tensor.extras:
        return tensor.data
    importance = None
    if output.importance is not None:
        importance = output.importance[first // output.source.shape[-2]]
    try:
        return ggml.encode(output.type, decoded(ggml, tensor), importance)
    except ValueError as error:
        raise ModelFileError(output.path, f"has a tensor {output.source.name!r} that {error}") from None


def decoded(ggml: Ggml, tensor: Tensor) -> NDArray[np.float32]:
    """Returns the values of a matrix, float32 ``[rows, columns]``."""
    if tensor.type in NUMBERS and not tensor.extras:
        return ggml.decode(tensor.type, tensor.data, tensor.shape[-1])
    return np.asarray(dequantize(tensor), np.float32)

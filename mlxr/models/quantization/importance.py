"""Importance matrices: how much an error in each column of a matrix costs, as ``llama-imatrix`` measures it.

It is the mean square of what a matrix is multiplied with, over a text. Files are GGUF (tensors ``NAME.in_sum2`` and
``NAME.counts``, both F32) or, of older days, a list of names, counts and float32 values (``.dat``).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.file import MAGIC, GGUFFile
from mlxr.models.formats.gguf.pairs import Kind, Pair
from mlxr.models.formats.gguf.writer import Entry, header, padding
from mlxr.models.modelfile import ModelFile, StoredTensor

Floats = NDArray[np.float32]

KIND = "imatrix"
"""The ``general.type`` of such files."""
SUMS, COUNTS = ".in_sum2", ".counts"
DATASETS, CHUNKS, CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
MOST_ENTRIES = 1 << 16
MOST_NAME = 1 << 12


@dataclass(frozen=True, slots=True)
class Importance:
    """``weights``: by the name of a matrix, float32 ``[columns]``, or ``[experts, columns]`` for those of experts.
    ``datasets``: what it was measured on. ``chunks``: how many pieces of text; 0 where that isn't known."""

    path: Path
    weights: Mapping[str, Floats]
    datasets: tuple[str, ...] = ()
    chunks: int = 0

    def pairs(self) -> list[Pair]:
        """Returns what a model's file says of the importance matrix it was made with, as llama-quantize writes it."""
        said = [Pair.of("quantize.imatrix.file", Kind.STRING, self.path.name)]
        if self.datasets:
            said.append(Pair.of("quantize.imatrix.dataset", Kind.STRING, self.datasets[0]))
        said.append(Pair.of("quantize.imatrix.entries_count", Kind.U32, len(self.weights)))
        if self.chunks:
            said.append(Pair.of("quantize.imatrix.chunks_count", Kind.U32, self.chunks))
        return said

    def of(self, name: str, shape: tuple[int, ...]) -> Floats | None:
        """Returns the weights ``[experts, columns]`` (one expert where there are none) of a matrix; None where there
        are none. Raises ``ModelFileError`` where they are another model's."""
        weights = self.weights.get(name)
        if weights is None:
            return None
        experts = shape[-3] if len(shape) > 2 else 1
        if weights.size != experts * shape[-1]:
            if name == "token_embd.weight":
                return None
            reason = f"has {weights.size} weights for {name!r}, not {experts * shape[-1]}: it is another model's"
            raise ModelFileError(self.path, reason)
        return weights.reshape(experts, shape[-1])


class Measured(NamedTuple):
    """Sums of squares ``[experts, columns]`` of what a matrix was multiplied with, and the rows each expert had."""

    sums: Floats
    counts: Floats


def read_importance(path: str | Path) -> Importance:
    """Reads either form. Raises ``ModelFileError`` and ``UnsupportedModelError`` for what is none, ``OSError``."""
    path = Path(path)
    file = ModelFile(path)
    in_gguf = file.size >= len(MAGIC) and file.read(0, len(MAGIC)) == MAGIC
    made = _of_gguf(path) if in_gguf else _of_list(file)
    if not made.weights:
        raise ModelFileError(path, "holds no importance matrix")
    for name, weights in made.weights.items():
        if not np.isfinite(weights).all():
            raise ModelFileError(path, f"holds what is no finite number for {name[:120]!r}; measure it again")
    return made


def write_importance(
    file: BinaryIO, measured: Mapping[str, Measured], datasets: list[str], chunks: int, chunk_size: int
) -> None:
    """Writes what was measured as llama.cpp's GGUF form. ``chunk_size``: tokens in each of so many ``chunks``."""
    pairs = [
        Pair.of("general.type", Kind.STRING, KIND),
        Pair.array(DATASETS, Kind.STRING, datasets),
        Pair.of(CHUNKS, Kind.U32, chunks),
        Pair.of(CHUNK_SIZE, Kind.U32, chunk_size),
    ]
    arrays: dict[str, Floats] = {}
    for name in sorted(measured):
        arrays[name + SUMS] = measured[name].sums
        arrays[name + COUNTS] = measured[name].counts.reshape(-1, 1)
    entries = [Entry(name, TensorType.F32, array.shape) for name, array in arrays.items()]
    head = header(pairs, entries)
    file.write(head)
    for array in arrays.values():
        data = np.ascontiguousarray(array, "<f4").tobytes()
        file.write(data + padding(len(data), 32))


def _of_gguf(path: Path) -> Importance:
    file = GGUFFile.open(path, KIND)
    weights: dict[str, Floats] = {}
    for name, tensor in file.tensors.items():
        if not name.endswith(SUMS):
            continue
        matrix = name.removesuffix(SUMS)
        counts = file.tensors.get(matrix + COUNTS)
        if counts is None or {tensor.type, counts.type} != {TensorType.F32}:
            raise ModelFileError(path, f"has no sums and counts as F32 for {matrix[:120]!r}")
        sums, seen = _values(tensor), np.rint(_values(counts))
        if sums.size % seen.size:
            raise ModelFileError(path, f"has {sums.size} sums and {seen.size} counts for {matrix[:120]!r}")
        each = sums.reshape(seen.size, -1)
        used = seen[:, None] > 0
        weights[matrix] = np.where(used, each / np.where(used, seen[:, None], 1), 1).astype(np.float32)
    datasets, chunks = file.metadata.get(DATASETS, ()), file.metadata.get(CHUNKS, 0)
    return Importance(path, weights, tuple(map(str, datasets)), int(chunks))


def _values(tensor: StoredTensor) -> Floats:
    return tensor.read().data.reshape(-1).view(np.float32)


def _of_list(file: ModelFile) -> Importance:
    path, at = file.path, 0

    def number(what: str, most: int) -> int:
        nonlocal at
        if at + 4 > file.size:
            raise ModelFileError(path, f"is no importance matrix: it ends within {what}", at)
        value = int(struct.unpack("<i", file.read(at, 4))[0])
        if not 0 <= value <= most:
            raise ModelFileError(path, f"is no importance matrix: it has {value} as {what}", at)
        at += 4
        return value

    def take(count: int, what: str) -> bytes:
        nonlocal at
        if at + count > file.size:
            raise ModelFileError(path, f"is no importance matrix: it ends within {what}", at)
        at += count
        return file.read(at - count, count)

    weights: dict[str, Floats] = {}
    for _ in range(number("how many entries it has", MOST_ENTRIES)):
        name = take(number("the length of a name", MOST_NAME), "a name").decode("utf-8", "replace")
        calls = number(f"calls of {name!r}", 2**31 - 1)
        count = number(f"values of {name!r}", file.size // 4)
        values = np.frombuffer(take(4 * count, f"values of {name!r}"), "<f4").astype(np.float32)
        weights[name] = values / np.float32(calls) if calls else values
    chunks, datasets = 0, tuple[str, ...]()
    if at < file.size:
        chunks = number("how many chunks it has", 2**31 - 1)
        datasets = (take(number("the length of a name", MOST_NAME), "a name").decode("utf-8", "replace"),)
    return Importance(path, weights, datasets, chunks)

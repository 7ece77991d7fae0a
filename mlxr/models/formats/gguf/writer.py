"""Writing GGUF files: the header at once, since types and sizes are planned before; data follow in its order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from struct import pack, unpack_from
from typing import NamedTuple

from mlxr.metal.tensors import TensorType, row_bytes
from mlxr.models.formats.gguf.file import DEFAULT_ALIGNMENT, MAGIC
from mlxr.models.formats.gguf.pairs import Kind, Pair
from mlxr.models.formats.gguf.tensor_types import TENSOR_TYPES

VERSION = 3
NUMBERS = {type: number for number, type in TENSOR_TYPES.items()}


class Entry(NamedTuple):
    """A tensor in a header. ``shape``: outermost dimension first."""

    name: str
    type: TensorType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape[:-1]) * row_bytes(self.type, self.shape[-1])


def alignment_of(pairs: Iterable[Pair]) -> int:
    """Returns what the data of tensors are aligned to in a file with these pairs."""
    for pair in pairs:
        if pair.key == "general.alignment" and pair.packed[:4] == pack("<I", Kind.U32):
            return int(unpack_from("<I", pair.packed, 4)[0])
    return DEFAULT_ALIGNMENT


def padding(size: int, alignment: int) -> bytes:
    """Returns the zeros behind ``size`` bytes."""
    return bytes(-size % alignment)


def header(pairs: Sequence[Pair], entries: Sequence[Entry]) -> bytes:
    """Returns all of a file before its data, padded: data follow in the order of ``entries``, each padded, too."""
    alignment = alignment_of(pairs)
    made = [MAGIC, pack("<IQQ", VERSION, len(entries), len(pairs))]
    for pair in pairs:
        made += [_text(pair.key), pair.packed]
    offset = 0
    for entry in entries:
        sizes = entry.shape[::-1]
        made += [_text(entry.name), pack(f"<I{len(sizes)}Q", len(sizes), *sizes)]
        made.append(pack("<IQ", NUMBERS[entry.type], offset))
        offset += entry.nbytes + len(padding(entry.nbytes, alignment))
    whole = b"".join(made)
    return whole + padding(len(whole), alignment)


def size_of_file(pairs: Sequence[Pair], entries: Sequence[Entry]) -> int:
    """Returns how many bytes the whole file takes."""
    alignment = alignment_of(pairs)
    data = sum(entry.nbytes + len(padding(entry.nbytes, alignment)) for entry in entries)
    return len(header(pairs, entries)) + data


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return pack("<Q", len(raw)) + raw

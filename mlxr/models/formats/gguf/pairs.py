"""Metadata of GGUF files as they stand in them: a pair keeps its type and bytes on its way from one file to another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from struct import pack
from typing import Any, NamedTuple

import numpy as np

from mlxr.models.formats.gguf.cursor import ARRAY, BIG, BOOL, SCALARS, STRING, Cursor, Strings
from mlxr.models.formats.gguf.file import GGUFFile, pairs_of
from mlxr.models.modelfile import ModelFile


class Kind(IntEnum):
    """Types of values, by GGUF's numbers (ggml's ``docs/gguf.md``)."""

    U8 = 0
    I8 = 1
    U16 = 2
    I16 = 3
    U32 = 4
    I32 = 5
    F32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    U64 = 10
    I64 = 11
    F64 = 12


class Pair(NamedTuple):
    """``packed``: the value as a little-endian file has it, its type before it."""

    key: str
    packed: bytes

    @classmethod
    def of(cls, key: str, kind: Kind, value: Any) -> Pair:
        """Returns a pair with one value of ``kind``."""
        return cls(key, pack("<I", kind) + _value(kind, value))

    @classmethod
    def array(cls, key: str, kind: Kind, values: Sequence[Any]) -> Pair:
        """Returns a pair with an array of values of ``kind``."""
        return cls(key, pack("<I", Kind.ARRAY) + _array(kind, values))


def read_pairs(path: Path) -> list[Pair]:
    """Returns a file's metadata in its order. Raises as ``GGUFFile.open``."""
    file = ModelFile(path)
    found: list[Pair] = []

    def note(cursor: Cursor, key: str, start: int, kind: int, value: Any) -> None:
        packed = _repacked(kind, value) if cursor.order == BIG else file.read(start, cursor.at - start)
        found.append(Pair(key, packed))

    pairs_of(file, note)
    return found


def model_pairs(file: GGUFFile) -> list[Pair]:
    """Returns the metadata of an open model, of its first file, less what says which part that is."""
    return [pair for pair in read_pairs(file.path) if not pair.key.startswith("split.")]


def replaced(pairs: Iterable[Pair], *new: Pair) -> list[Pair]:
    """Returns the pairs with ``new`` ones at their end, in place of those with their keys, as llama.cpp does it."""
    keys = {pair.key for pair in new}
    return [*(pair for pair in pairs if pair.key not in keys), *new]


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
        return pack("<Q", len(raw)) + raw
    return np.asarray(value, SCALARS[kind]).astype(SCALARS[kind].newbyteorder("<")).tobytes()


def _array(kind: int, values: Sequence[Any]) -> bytes:
    head = pack("<IQ", kind, len(values))
    if kind == STRING:
        raw = values.raw() if isinstance(values, Strings) else values
        return head + b"".join(_value(STRING, value) for value in raw)
    return head + np.asarray(values, SCALARS[kind]).astype(SCALARS[kind].newbyteorder("<")).tobytes()


def _repacked(kind: int, value: Any) -> bytes:
    """A value that was read from a big-endian file."""
    if kind != ARRAY:
        return pack("<I", kind) + _value(kind, value)
    return pack("<I", ARRAY) + _repacked_array(value)


def _repacked_array(values: Any) -> bytes:
    if isinstance(values, Strings):
        return _array(STRING, values)
    if isinstance(values, list):
        return pack("<IQ", ARRAY, len(values)) + b"".join(map(_repacked_array, values))
    kinds = {dtype: kind for kind, dtype in SCALARS.items()}
    return _array(BOOL if values.dtype == np.bool_ else kinds[values.dtype], values)

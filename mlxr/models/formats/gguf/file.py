"""GGUF files (versions 2 and 3, in either order of bytes): metadata and tensors.

The format is that of ggml's ``docs/gguf.md``: a header, key-value pairs, tensor records, padding to
``general.alignment``, then tensor data. The header is read at once, a tensor's data when they are asked for. A model in
several files (``split.py``) is read as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.metal.tensors import TensorType, row_bytes
from mlxr.models.errors import AGAIN, ONE_VERSION, ModelFileError, UnsupportedModelError
from mlxr.models.formats.gguf.byte_order import BigEndianTensor
from mlxr.models.formats.gguf.cursor import BIG, LITTLE, Cursor
from mlxr.models.formats.gguf.split import first_file, part_number, present_files
from mlxr.models.formats.gguf.tensor_types import TENSOR_TYPES, UNSUPPORTED_TYPES
from mlxr.models.formats.pickles import REFUSED, begins_as_pickle
from mlxr.models.modelfile import ModelFile, StoredTensor, require_apart

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4
PAIR_BYTES = 8 + 1 + 4 + 1
TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8
"""The least that a metadata pair and a tensor record take."""
MAX_PAIRS = 1 << 16
MAX_TENSORS = 1 << 16
"""Published models have fewer than 100 pairs and 2000 tensors."""
MODEL = "model"
PARTS_OF_MODELS = ("adapter", "mmproj", "imatrix", "controlvector")
"""``general.type`` of what lies beside a model."""
QUANTIZATION_VERSION = 2
"""Of the blocks that ``TENSOR_TYPES`` names; files of the earlier ones have other blocks by the same numbers."""
SPLIT_NUMBER, SPLIT_COUNT, SPLIT_TENSORS = "split.no", "split.count", "split.tensors.count"
"""Which part a file is, from 0, of how many, and how many tensors all have."""


@dataclass(frozen=True, slots=True)
class GGUFFile:
    """The header of a GGUF model, whose files stay open.

    ``metadata``: scalars as Python values, arrays of strings as ``Strings`` (bytes that are not UTF-8 as surrogate
    escapes), numeric arrays as NumPy; of a model in several files those of the first. ``tensors``: by name, in file
    order, of all files.
    """

    path: Path
    version: int
    metadata: dict[str, Any]
    tensors: dict[str, StoredTensor]

    @classmethod
    def open(cls, path: str | Path, type: str = MODEL) -> GGUFFile:
        """Opens the model that ``path`` names, which may be one of its parts or the folder that holds it, and reads its
        headers. ``type``: its ``general.type``, for what is no model by itself.

        Raises ``ModelFileError`` for malformed and missing files, ``UnsupportedModelError`` for a tensor type mlxr
        lacks, ``OSError`` where a file can't be opened.
        """
        path = Path(path)
        first = _opened(first_file(path) if path.is_dir() else path)
        if _parts(first) == 1:
            _require_type(first, type)
            return first
        files = present_files(first.path)
        _require_part(first, (part_number(first.path) or (0, 0))[0], len(files))
        return _joined([first if file == first.path else _opened(file) for file in files], type)

    @staticmethod
    def type_of(path: Path) -> str:
        """Returns the ``general.type`` of a file; ``model`` where it has none. Raises as ``open`` does."""
        kind = _opened(path).metadata.get("general.type", MODEL)
        return kind if isinstance(kind, str) else MODEL


@dataclass(frozen=True, slots=True)
class _Record:
    """A tensor's entry in the header; ``offset`` counts from the data's start, ``at`` is where the entry stands."""

    name: str
    type: TensorType
    shape: tuple[int, ...]
    offset: int
    at: int


def _opened(path: Path) -> GGUFFile:
    """One file, whatever else belongs to its model."""
    file = ModelFile(path)
    if file.size == 0:
        raise ModelFileError(file.path, f"is empty, not a GGUF file; {AGAIN}", 0)
    header = _parse(file)
    file.require_unchanged()
    return header


def _parse(file: ModelFile) -> GGUFFile:
    cursor = Cursor(file)
    version = _version(cursor)
    tensor_count = cursor.count("tensors", TENSOR_BYTES, MAX_TENSORS)
    metadata = _pairs(cursor, cursor.count("metadata", PAIR_BYTES, MAX_PAIRS))
    alignment = _alignment(cursor, metadata)
    records = [_record(cursor, alignment) for _ in range(tensor_count)]
    start = -(-cursor.at // alignment) * alignment
    tensors: dict[str, StoredTensor] = {}
    for record in records:
        if record.name in tensors:
            raise cursor.error(f"has the tensor {record.name!r} twice", record.at)
        tensors[record.name] = _tensor(file, cursor, record, start)
    require_apart(tensors)
    return GGUFFile(file.path, version, metadata, tensors)


def _parts(header: GGUFFile) -> int:
    """Of how many files the model of this one is."""
    count = header.metadata.get(SPLIT_COUNT, 1)
    return count if isinstance(count, int) and count > 1 else 1


def _require_part(header: GGUFFile, number: int, count: int) -> None:
    """Raises ``ModelFileError`` where a file is not part ``number`` of ``count``, which its name or its siblings
    say."""
    told = header.metadata.get(SPLIT_NUMBER)
    own = told + 1 if isinstance(told, int) else told
    if own == number and _parts(header) == count:
        return
    says = f"says that it is part {str(own)[:20]} of {_parts(header)}"
    if part_number(header.path) is None:
        way_out = "its siblings are found by names such as NAME-00001-of-00003.gguf, so give it its own name back"
        raise ModelFileError(header.path, f"{says}, and has another name; {way_out}")
    raise ModelFileError(header.path, f"{says}, and its name that it is part {number} of {count}; {AGAIN}")


def _joined(parts: list[GGUFFile], type: str) -> GGUFFile:
    """The parts of one model as one. Raises ``ModelFileError`` where they are not of one."""
    first = parts[0]
    tensors: dict[str, StoredTensor] = {}
    for number, part in enumerate(parts, 1):
        _require_part(part, number, len(parts))
        for name, tensor in part.tensors.items():
            if name in tensors:
                raise ModelFileError(
                    part.path, f"holds the tensor {name!r}, as {tensors[name].file.path.name!r} does; {ONE_VERSION}"
                )
            tensors[name] = tensor
    count = first.metadata.get(SPLIT_TENSORS, len(tensors))
    if count != len(tensors):
        reason = f"says that all parts hold {str(count)[:20]} tensors, and they hold {len(tensors)}"
        raise ModelFileError(first.path, f"{reason}; fetch them again")
    whole = GGUFFile(first.path, first.version, first.metadata, tensors)
    _require_type(whole, type)
    return whole


def _require_type(header: GGUFFile, type: str) -> None:
    """Refuses what is of another type, and blocks of another age."""
    metadata = header.metadata
    if not header.tensors:
        raise UnsupportedModelError(header.path, "holds a vocabulary at most, and no tensors: pull the model itself")
    kind = metadata.get("general.type", MODEL)
    if type == MODEL and isinstance(kind, str) and kind in PARTS_OF_MODELS:
        raise UnsupportedModelError(header.path, f"is of the type {kind!r} and no model by itself")
    if type not in (MODEL, kind):
        raise UnsupportedModelError(header.path, f"is of the type {str(kind)[:40]!r}, and no {type}")
    version = metadata.get("general.quantization_version", QUANTIZATION_VERSION)
    if not isinstance(version, int) or version != QUANTIZATION_VERSION:
        reason = f"has quantization version {str(version)[:20]}; mlxr reads version {QUANTIZATION_VERSION}"
        raise UnsupportedModelError(header.path, f"{reason}, so convert it again")


def _version(cursor: Cursor) -> int:
    magic = cursor.take(min(len(MAGIC), cursor.size), "magic")
    if magic != MAGIC:
        if begins_as_pickle(magic):
            raise UnsupportedModelError(cursor.path, f"is {REFUSED}")
        raise cursor.error(f"is not a GGUF file: it begins with {magic!r}, not {MAGIC!r}", 0)
    version = cursor.u32("version")
    swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
    if swapped in VERSIONS:
        cursor.order = BIG
        return swapped
    if version not in VERSIONS:
        raise cursor.error(
            f"has GGUF version {version}", len(MAGIC), "mlxr reads versions 2 and 3, so convert the model again"
        )
    return version


Note = Callable[[Cursor, str, int, int, Any], None]
"""Hears of each metadata pair: its key, where its value begins (type first) and ends (the cursor), type and value."""


def pairs_of(file: ModelFile, note: Note) -> None:
    """Reads a file's metadata, and tells ``note`` of each pair. Raises ``ModelFileError``."""
    cursor = Cursor(file)
    _version(cursor)
    cursor.count("tensors", TENSOR_BYTES, MAX_TENSORS)
    _pairs(cursor, cursor.count("metadata", PAIR_BYTES, MAX_PAIRS), note)


def _pairs(cursor: Cursor, count: int, note: Note | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(count):
        at = cursor.at
        key = cursor.name("metadata key")
        if key in metadata:
            raise cursor.error(f"has the metadata key {key!r} twice", at)
        start, kind = cursor.at, cursor.u32(f"type of {key!r}")
        metadata[key] = cursor.value(key, kind)
        if note:
            note(cursor, key, start, kind, metadata[key])
    return metadata


def _alignment(cursor: Cursor, metadata: dict[str, Any]) -> int:
    value = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(value, int) or value < 8 or value & (value - 1) or value > cursor.size:
        shown = str(value)[:40]
        raise cursor.error(f"has general.alignment {shown}, which must be a power of two, 8 at least, within its size")
    return value


def _record(cursor: Cursor, alignment: int) -> _Record:
    at = cursor.at
    name = cursor.name("tensor name")
    dimensions = cursor.u32(f"dimensions of {name!r}")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise cursor.error(f"gives tensor {name!r} {dimensions} dimensions; 1 to {MAX_DIMENSIONS} are possible", at)
    # GGUF lists the innermost dimension first.
    shape = tuple(cursor.u64(f"shape of {name!r}") for _ in range(dimensions))[::-1]
    if not all(shape):
        raise cursor.error(f"gives tensor {name!r} the shape {shape}, which holds nothing", at)
    type = _tensor_type(cursor, name, cursor.u32(f"type of {name!r}"), at)
    offset = cursor.u64(f"offset of {name!r}")
    if offset % alignment:
        raise cursor.error(f"places tensor {name!r} at {offset}, which is no multiple of {alignment}", at)
    return _Record(name, type, shape, offset, at)


def _tensor_type(cursor: Cursor, name: str, number: int, at: int) -> TensorType:
    if number in TENSOR_TYPES:
        return TENSOR_TYPES[number]
    if number in UNSUPPORTED_TYPES:
        readable = ", ".join(TENSOR_TYPES.values())
        reason = f"stores tensor {name!r} as {UNSUPPORTED_TYPES[number]}; mlxr reads {readable}"
        raise UnsupportedModelError(cursor.path, reason)
    raise cursor.error(f"gives tensor {name!r} the unknown type {number}", at)


def _tensor(file: ModelFile, cursor: Cursor, record: _Record, data_start: int) -> StoredTensor:
    try:
        columns = row_bytes(record.type, record.shape[-1])
    except ValueError as error:
        raise cursor.error(f"has a tensor {record.name!r} that can't be: {error}", record.at) from None
    start, nbytes = data_start + record.offset, math.prod(record.shape[:-1]) * columns
    if start + nbytes > file.size:
        if file.size <= data_start:
            raise cursor.error("holds a header alone, and no tensor's data", file.size, "fetch the whole file")
        where = f"bytes {start} to {start + nbytes}, and the file ends at {file.size}"
        raise cursor.error(f"is truncated: tensor {record.name!r} needs {where}", record.at)
    kind = StoredTensor if cursor.order == LITTLE else BigEndianTensor
    return kind(file, record.name, record.type, record.shape, start, nbytes)


def header_needs(path: Path, have: int) -> int:
    """Returns 0 where the first ``have`` bytes of a file hold its header, else how many should be there to read on; the
    rest of the file may be anything. Raises as ``GGUFFile.open``, of one file by itself."""
    try:
        _parse(_Beginning(path, have))
    except _EndOfBeginning as end:
        return end.wanted
    return 0


class _EndOfBeginning(Exception):  # noqa: N818  (no error)
    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.wanted = wanted


class _Beginning(ModelFile):
    """A file of which the first ``have`` bytes are there."""

    __slots__ = ("_have",)

    def __init__(self, path: Path, have: int) -> None:
        super().__init__(path)
        self._have = have

    def read(self, start: int, count: int) -> bytes:
        if start + count > self._have:
            raise _EndOfBeginning(start + count)
        return super().read(start, count)

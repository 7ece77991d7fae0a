"""GGUF files (versions 2 and 3): metadata and tensors.

The format is that of ggml's ``docs/gguf.md``: a header, key-value pairs, tensor records, padding to
``general.alignment``, then tensor data. The header is read at once, a tensor's data when they are asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.metal.tensors import TensorType, row_bytes
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.gguf.cursor import Cursor
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
PARTS_OF_MODELS = ("adapter", "mmproj", "imatrix", "controlvector")
"""``general.type`` of what lies beside a model."""
QUANTIZATION_VERSION = 2
"""Of the blocks that ``TENSOR_TYPES`` names; files of the earlier ones have other blocks by the same numbers."""

TENSOR_TYPES = {
    0: TensorType.F32,
    1: TensorType.F16,
    2: TensorType.Q4_0,
    3: TensorType.Q4_1,
    6: TensorType.Q5_0,
    7: TensorType.Q5_1,
    8: TensorType.Q8_0,
    10: TensorType.Q2_K,
    11: TensorType.Q3_K,
    12: TensorType.Q4_K,
    13: TensorType.Q5_K,
    14: TensorType.Q6_K,
    15: TensorType.Q8_K,
    16: TensorType.IQ2_XXS,
    17: TensorType.IQ2_XS,
    18: TensorType.IQ3_XXS,
    19: TensorType.IQ1_S,
    20: TensorType.IQ4_NL,
    21: TensorType.IQ3_S,
    22: TensorType.IQ2_S,
    23: TensorType.IQ4_XS,
    29: TensorType.IQ1_M,
    30: TensorType.BF16,
    34: TensorType.TQ1_0,
    35: TensorType.TQ2_0,
    39: TensorType.MXFP4,
    40: TensorType.NVFP4,
}
UNSUPPORTED_TYPES = {
    9: "Q8_1",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    41: "Q1_0",
}


@dataclass(frozen=True, slots=True)
class GGUFFile:
    """The header of a GGUF file, which stays open.

    ``metadata``: scalars as Python values, arrays of strings as ``Strings`` (bytes that are not UTF-8 as surrogate
    escapes), numeric arrays as NumPy. ``tensors``: by name, in file order.
    """

    path: Path
    version: int
    metadata: dict[str, Any]
    tensors: dict[str, StoredTensor]

    @classmethod
    def open(cls, path: str | Path) -> GGUFFile:
        """Open ``path`` and read its header.

        Raises ``ModelFileError`` for a malformed file, ``UnsupportedModelError`` for a tensor type mlxr lacks,
        ``OSError`` where the file can't be opened.
        """
        file = ModelFile(Path(path))
        if file.size == 0:
            raise ModelFileError(file.path, "is empty, not a GGUF file", 0)
        header = _parse(file)
        file.require_unchanged()
        return header


@dataclass(frozen=True, slots=True)
class _Record:
    """A tensor's entry in the header; ``offset`` counts from the data's start, ``at`` is where the entry stands."""

    name: str
    type: TensorType
    shape: tuple[int, ...]
    offset: int
    at: int


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
    _require_whole(cursor, metadata, tensors)
    return GGUFFile(file.path, version, metadata, tensors)


def _require_whole(cursor: Cursor, metadata: dict[str, Any], tensors: dict[str, StoredTensor]) -> None:
    """Refuse what is no model by itself, and blocks of another age."""
    parts = metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise UnsupportedModelError(cursor.path, f"is one of {parts} parts; join them with llama-gguf-split --merge")
    if not tensors:
        raise UnsupportedModelError(cursor.path, "holds a vocabulary at most, and no tensors: pull the model itself")
    kind = metadata.get("general.type", "model")
    if isinstance(kind, str) and kind in PARTS_OF_MODELS:
        raise UnsupportedModelError(cursor.path, f"is of the type {kind!r} and no model by itself")
    version = metadata.get("general.quantization_version", QUANTIZATION_VERSION)
    if not isinstance(version, int) or version != QUANTIZATION_VERSION:
        reason = f"has quantization version {str(version)[:20]}; mlxr reads version {QUANTIZATION_VERSION}"
        raise UnsupportedModelError(cursor.path, f"{reason}, so convert it again")


def _version(cursor: Cursor) -> int:
    magic = cursor.take(min(len(MAGIC), cursor.size), "magic")
    if magic != MAGIC:
        raise cursor.error(f"is not a GGUF file: it begins with {magic!r}, not {MAGIC!r}", 0)
    version = cursor.u32("version")
    if version in VERSIONS:
        return version
    if int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS:
        way_out = "mlxr reads little-endian ones, so convert it again without --bigendian"
        raise cursor.error(f"is a big-endian GGUF file; {way_out}", len(MAGIC))
    raise cursor.error(f"has GGUF version {version}; mlxr reads versions 2 and 3", len(MAGIC))


def _pairs(cursor: Cursor, count: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(count):
        at = cursor.at
        key = cursor.name("metadata key")
        if key in metadata:
            raise cursor.error(f"has the metadata key {key!r} twice", at)
        metadata[key] = cursor.value(key, cursor.u32(f"type of {key!r}"))
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
            raise cursor.error("holds a header alone, and no tensor's data; fetch the whole file", file.size)
        where = f"bytes {start} to {start + nbytes}, and the file ends at {file.size}"
        raise cursor.error(f"is truncated: tensor {record.name!r} needs {where}", record.at)
    return StoredTensor(file, record.name, record.type, record.shape, start, nbytes)

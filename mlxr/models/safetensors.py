"""Model folders as Hugging Face lays them out: ``config.json`` and ``*.safetensors``, read in place.

A safetensors file (the format's README) is a little-endian u64 with the length of a JSON object, that object, and the
data: each name maps to ``dtype``, ``shape`` and ``data_offsets`` from the data's start. Nothing is believed unchecked.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct as Record

from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.models.errors import ModelFileError
from mlxr.runtime.regular import open_regular

LENGTH = Struct("<Q")
MAX_HEADER_BYTES = 100 << 20
"""The format's own limit."""

TENSOR_TYPES = {
    "F32": TensorType.F32,
    "F16": TensorType.F16,
    "BF16": TensorType.BF16,
    "F8_E4M3": TensorType.FP8_E4M3,
}


class _Entry(Record, frozen=True):
    """One tensor in the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """``config``: the model's configuration. ``tensors``: by name, over all files; views that keep the mappings alive.

    Tensors of other types than ``TENSOR_TYPES`` (position ids and other whole numbers) are left out.
    """

    path: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def open(cls, path: str | Path) -> ModelFolder:
        """Raises ``ModelFileError`` for malformed or missing files, ``OSError`` where one can't be opened."""
        path = Path(path)
        files = sorted(path.glob("*.safetensors"))
        if not files:
            raise ModelFileError(path, "has no *.safetensors file")
        config = read_json(path / "config.json")
        tensors: dict[str, Tensor] = {}
        for file in files:
            for name, tensor in read_tensors(file).items():
                if name in tensors:
                    raise ModelFileError(file, f"holds the tensor {name!r}, which another file of the folder holds too")
                tensors[name] = tensor
        return cls(path, config, tensors)

    def optional_json(self, name: str) -> dict[str, Any]:
        """Another file of the folder, empty where there is none."""
        return read_json(self.path / name) if (self.path / name).exists() else {}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ``ModelFileError`` for anything else, a missing file included."""
    if not path.exists():
        raise ModelFileError(path, "is missing")
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(path, f"is no JSON object: {error}") from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one file."""
    with open_regular(path) as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ModelFileError(path, "is empty, not a safetensors file", 0) from None
    if len(data) < LENGTH.size:
        raise ModelFileError(path, "ends within its header's length", len(data))
    length = LENGTH.unpack_from(data)[0]
    start = LENGTH.size + length
    if length > MAX_HEADER_BYTES or start > len(data):
        raise ModelFileError(path, f"is truncated or no safetensors file: its header claims {length} bytes", 0)
    entries = _entries(path, data[LENGTH.size : start])
    known = {name: entry for name, entry in entries.items() if entry.dtype in TENSOR_TYPES}
    return {name: _tensor(path, data, start, name, entry) for name, entry in known.items()}


def _entries(path: Path, header: bytes) -> dict[str, _Entry]:
    try:
        fields = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        fields.pop("__metadata__", None)
        return {name: msgspec.json.decode(field, type=_Entry) for name, field in fields.items()}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(path, f"has a malformed header: {error}", LENGTH.size) from None


def _tensor(path: Path, data: mmap.mmap, start: int, name: str, entry: _Entry) -> Tensor:
    type, shape = TENSOR_TYPES[entry.dtype], tuple(entry.shape)
    begin, end = (start + offset for offset in entry.data_offsets)
    if any(size < 1 for size in shape):
        raise ModelFileError(path, f"gives tensor {name!r} the shape {shape}, which holds nothing", LENGTH.size)
    nbytes = math.prod(shape) * BLOCKS[type][1]
    if nbytes != end - begin or begin < start:
        span = f"bytes {begin} to {end}"
        raise ModelFileError(path, f"puts tensor {name!r} of {nbytes} bytes into {span}", LENGTH.size)
    if end > len(data):
        raise ModelFileError(path, f"is truncated: tensor {name!r} needs bytes {begin} to {end}", len(data))
    rows = math.prod(shape[:-1])
    return Tensor(name, type, shape, np.frombuffer(data, np.uint8, nbytes, begin).reshape(rows, -1))

"""Files of safetensors with tensors of any type, those that NumPy lacks included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = {
    "float32": "F32",
    "float16": "F16",
    "int8": "I8",
    "uint8": "U8",
    "int32": "I32",
    "int64": "I64",
    "uint32": "U32",
}


@dataclass(frozen=True, slots=True)
class Raw:
    """A tensor as it lies in a file."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, values: NDArray[np.generic], dtype: str = "") -> Raw:
        """``dtype``: the name of the type whose bytes ``values`` are; its own if not given."""
        return cls(dtype or NAMES[values.dtype.name], values.shape, np.ascontiguousarray(values).tobytes())


def read_raw(path: Path) -> dict[str, Raw]:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        found[name] = Raw(entry["dtype"], tuple(entry["shape"]), content[start + begin : start + end])
    return found


def write_raw(path: Path, tensors: Mapping[str, Raw]) -> Path:
    header, parts, end = {}, [], 0
    for name, raw in tensors.items():
        header[name] = {"dtype": raw.dtype, "shape": raw.shape, "data_offsets": [end, end + len(raw.data)]}
        parts.append(raw.data)
        end += len(raw.data)
    encoded = json.dumps(header).encode()
    path.write_bytes(b"".join([len(encoded).to_bytes(8, "little"), encoded, *parts]))
    return path

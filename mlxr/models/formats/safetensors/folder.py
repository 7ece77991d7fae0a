"""Model folders as Hugging Face lays them out: ``config.json`` and ``*.safetensors``.

A safetensors file (the format's README) is a little-endian u64 with the length of a JSON object, that object, and the
data: each name maps to ``dtype``, ``shape`` and ``data_offsets`` from the data's start. Nothing is believed unchecked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

from mlxr.metal.tensors import BLOCKS, TensorType
from mlxr.models.errors import AGAIN, ONE_VERSION, ModelFileError
from mlxr.models.formats.quantized.schemes import joined
from mlxr.models.formats.safetensors.index import require_tensors, weight_files
from mlxr.models.jsonfile import decode_json, optional_json, read_json
from mlxr.models.modelfile import ModelFile, StoredTensor, require_apart

LENGTH = Struct("<Q")
MAX_HEADER_BYTES = 24 << 20
MAX_HEADER_VALUES = 1 << 19
"""Five values a tensor: enough for 100,000 of them in one file. As Python objects they take ten times their bytes."""
MAX_DIMENSIONS = 8
MAX_VALUES_A_BYTE = 8

TENSOR_TYPES = {
    "F32": TensorType.F32,
    "F16": TensorType.F16,
    "BF16": TensorType.BF16,
    "F8_E4M3": TensorType.FP8_E4M3,
}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """``config``: the model's configuration. ``tensors``: by name, over all files, which stay open; the parts of a
    quantized matrix are one. ``notes``: what is to be said of how they are read. ``by_mlx``: whether mlx-lm wrote them,
    which some families' weights show."""

    path: Path
    config: dict[str, Any]
    tensors: dict[str, StoredTensor]
    notes: tuple[str, ...] = ()
    by_mlx: bool = False

    @classmethod
    def open(cls, path: str | Path) -> ModelFolder:
        """Raises ``ModelFileError`` for malformed or missing files, ``UnsupportedModelError`` for pickles alone and for
        quantization that mlxr lacks, ``OSError`` where a file can't be opened."""
        path = Path(path)
        files, places = weight_files(path)
        config = read_json(path / "config.json", infinite=True)
        tensors: dict[str, StoredTensor] = {}
        by_mlx = False
        for file in files:
            held, metadata = read_file(file)
            by_mlx |= metadata.get("format") == "mlx"
            for name, tensor in held.items():
                if name in tensors:
                    raise ModelFileError(
                        file, f"holds the tensor {name!r}, which another file of the folder does too; {ONE_VERSION}"
                    )
                tensors[name] = tensor
        require_tensors(path, places, tensors)
        whole = joined(path, config, tensors)
        return cls(path, config, whole.tensors, whole.notes, by_mlx)

    def optional_json(self, name: str) -> dict[str, Any]:
        """Another file of the folder, empty where there is none."""
        return optional_json(self.path / name)


def read_tensors(path: Path) -> dict[str, StoredTensor]:
    """Returns the tensors of one file, as ``read_file`` has them."""
    return read_file(path)[0]


def read_file(path: Path) -> tuple[dict[str, StoredTensor], dict[str, Any]]:
    """Returns the tensors of one file, and what is said of it. Tensors of types that mlxr does not read are there too,
    without a type."""
    file = ModelFile(path)
    if file.size == 0:
        raise ModelFileError(path, f"is empty, not a safetensors file; {AGAIN}", 0)
    if file.size < LENGTH.size:
        raise ModelFileError(path, f"ends within its header's length; {AGAIN}", file.size)
    length = LENGTH.unpack(file.read(0, LENGTH.size))[0]
    start = LENGTH.size + length
    if length > MAX_HEADER_BYTES or start > file.size:
        raise ModelFileError(path, f"is truncated or no safetensors file: its header claims {length} bytes; {AGAIN}", 0)
    header = decode_json(path, file.read(LENGTH.size, length), LENGTH.size, most=MAX_HEADER_VALUES, once=True)
    if not isinstance(header, dict):
        raise ModelFileError(path, f"has a malformed header: it is no JSON object; {AGAIN}", LENGTH.size)
    metadata = header.pop("__metadata__", None)
    tensors = {name: _tensor(file, start, name, entry) for name, entry in header.items()}
    require_apart(tensors)
    file.require_unchanged()
    return tensors, metadata if isinstance(metadata, dict) else {}


def _tensor(file: ModelFile, start: int, name: str, entry: Any) -> StoredTensor:
    stored_as, shape, (begin, end) = _entry(file.path, name, entry)
    if not all(shape):
        raise ModelFileError(
            file.path, f"gives tensor {name!r} the shape {shape}, which holds nothing; {AGAIN}", LENGTH.size
        )
    type = TENSOR_TYPES.get(stored_as)
    nbytes = math.prod(shape) * BLOCKS[type][1] if type else end - begin
    if type is None and math.prod(shape) > MAX_VALUES_A_BYTE * nbytes:
        raise ModelFileError(file.path, f"puts tensor {name!r} of {shape} into {nbytes} bytes; {AGAIN}", LENGTH.size)
    if nbytes != end - begin:
        span = f"bytes {start + begin} to {start + end}"
        raise ModelFileError(file.path, f"puts tensor {name!r} of {nbytes} bytes into {span}; {AGAIN}", LENGTH.size)
    if start + end > file.size:
        where = f"bytes {start + begin} to {start + end}"
        raise ModelFileError(file.path, f"is truncated: tensor {name!r} needs {where}; {AGAIN}", file.size)
    return StoredTensor(file, name, type, shape, start + begin, nbytes, stored_as)


def _entry(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Type, shape and offsets of one tensor, each of the right form: offsets in order, sizes not negative."""
    match entry:
        case {"dtype": str(stored_as), "shape": list(shape), "data_offsets": [begin, end]}:
            numbers = [*shape, begin, end]
            whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
            if whole and len(shape) <= MAX_DIMENSIONS and min(numbers) >= 0 and begin <= end:
                return stored_as, tuple(shape), (begin, end)
    wanted = "a dtype, a shape of whole numbers and two data_offsets in order"
    raise ModelFileError(path, f"has a malformed header: tensor {name!r} should have {wanted}; {AGAIN}", LENGTH.size)

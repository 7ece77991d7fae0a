"""A model folder as mlx-lm writes it: the same tensors by MLX's names, matrices quantized by MLX if that is wanted.

Sizes and types are known before the first tensor is read, so files are written from front to back, a tensor at a time.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.conversion.mlx_rules import FROM_FOLDER, OWN_FROM_FOLDER, to_mlx
from mlxr.models.conversion.mlx_types import MatrixType, Quantization
from mlxr.models.conversion.source_tensors import Model
from mlxr.models.conversion.transforms import Readable
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.header import ModelHeader, read_header
from mlxr.models.hyperparameters import Format
from mlxr.models.jsonfile import read_json
from mlxr.models.modelfile import StoredTensor
from mlxr.models.quantization.encoding import Advanced

if TYPE_CHECKING:
    import mlx.core as mx

SHARD_BYTES = 5 << 30
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", "generation_config.json", "README.md"),
)
DTYPES = {TensorType.F32: "F32", TensorType.F16: "F16", TensorType.BF16: "BF16"}
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "U32": 4, "U8": 1}
EXACT = frozenset({"router", "shared_router", "conv", "delta_conv", "ssm_conv"})
"""Roles of matrices that stay as they are: experts are chosen by them, or they are no matrices but convolutions."""


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor to write.

    name, shape: of the numbers that it stands for.
    dtype: of these, or of what scales them.
    make: the arrays to write, as ``stored`` lists them, read when they are written.
    how: into which codes and scales; None for plain numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], list[mx.array]]
    how: Quantization | None = None

    @property
    def stored(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Name, dtype and shape of the arrays that it becomes."""
        how = self.how
        if how is None:
            return [(self.name, self.dtype, self.shape)]
        outer, columns = self.shape[:-1], self.shape[-1]
        scales = self.dtype if how.has_biases else "U8"
        made = [
            (self.name, "U32", (*outer, columns * how.bits // 32)),
            (f"{self.module}.scales", scales, (*outer, columns // how.group)),
        ]
        return [*made, (f"{self.module}.biases", scales, (*outer, columns // how.group))] if how.has_biases else made

    @property
    def module(self) -> str:
        """MLX's name for the layer that it is the weight of."""
        return self.name.removesuffix(".weight")

    @property
    def nbytes(self) -> int:
        return sum(math.prod(shape) * BYTES[dtype] for _, dtype, shape in self.stored)


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder will hold. ``files``: what stands beside ``config.json`` and the tensors, by name: a text, or the
    path of what is copied."""

    config: Mapping[str, Any]
    parts: list[Part]
    files: Mapping[str, str | Path]

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)


def folder_of(path: Path, wanted: MatrixType, requantize: bool) -> Folder:
    """Returns the folder that another one becomes. Raises ``UnsupportedModelError`` for what mlx-lm does not run."""
    header = read_header(path)
    table = header.family.tables.get(Format.MLX)
    if table is None:
        raise UnsupportedModelError(path, f"is of the family {header.family.name}, which mlx-lm does not run")
    if not header.family.written:
        reason = f"is of the family {header.family.name}, of which mlxr writes no MLX folders yet"
        raise UnsupportedModelError(path, f"{reason}; it runs the folder as it is")
    few = next((t for t in header.tensors.values() if t.type not in DTYPES), None)
    if few is not None and not requantize:
        reason = f"is quantized already ({few.name} as {few.stored_as}), and quantizing it again loses more"
        raise UnsupportedModelError(path, f"{reason}; start from an F16 or BF16 model, or add --requantize")
    config = read_json(path / "config.json", infinite=True)
    parts = list(_parts(header, wanted))
    for key in ("quantization", "quantization_config"):
        config.pop(key, None)
        if wanted.quantization:
            config[key] = wanted.quantization.settings()
    files = {name: path / name for name in TOKENIZER_FILES if (path / name).is_file()}
    return Folder(config, parts, files)


def _parts(header: ModelHeader, wanted: MatrixType) -> Iterator[Part]:
    half = _half(header.tensors)
    own = {**FROM_FOLDER, **OWN_FROM_FOLDER.get(header.family.name, {})}
    for name, role, tensor in to_mlx(model_of(header), header.tensors, own):
        yield _part(name, tensor, role, half, wanted)


def model_of(header: ModelHeader) -> Model:
    """Returns a model on its way into an MLX folder."""
    family, format = header.family, header.parameters.format
    spec = family.read(header.parameters, HeaderWeights(header.path, header.tensors))
    target = family.tables[Format.MLX]
    return Model(header.path, header.architecture, spec, {}, family.tables[format], target, family.reordered)


def _half(tensors: Mapping[str, StoredTensor]) -> str:
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        if dtype := DTYPES.get(tensor.type) if tensor.type else None:
            sizes[dtype] = sizes.get(dtype, 0) + tensor.nbytes
    return max(sizes, key=lambda dtype: sizes[dtype], default="BF16")


def _part(name: str, tensor: Readable, role: str, half: str, wanted: MatrixType) -> Part:
    type, shape = tensor.require_type(), tensor.shape
    matrix = len(shape) > 1 and name.endswith(".weight") and role not in EXACT
    dtype = DTYPES.get(type, half)
    if wanted.dtype and matrix:
        dtype = wanted.dtype
    how = wanted.quantization
    fits = how is not None and shape[-1] % max(how.group, 32) == 0

    how = how if matrix and fits else None

    def make() -> list[mx.array]:
        return encoded(array_of(tensor.read(), dtype).reshape(shape), how)

    return Part(name, shape, dtype, make, how)


def encoded(values: mx.array, how: Quantization | None) -> list[mx.array]:
    """Returns the arrays that a part of those values is."""
    import mlx.core as mx

    if how is None:
        return [values]
    return list(mx.quantize(values, group_size=how.group, bits=how.bits, mode=how.mode))


def array_of(tensor: Tensor, dtype: str) -> mx.array:
    """Returns a matrix's numbers as ``F32``, ``F16`` or ``BF16``."""
    import mlx.core as mx

    kinds = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}
    if DTYPES.get(tensor.type) == dtype:
        size = np.uint32 if dtype == "F32" else np.uint16
        return mx.array(np.ascontiguousarray(tensor.data).view(size)).view(kinds[dtype])
    return mx.array(np.asarray(dequantize(tensor), np.float32)).astype(kinds[dtype])


def write_folder(folder: Folder, target: Path, advanced: Advanced) -> None:
    """Writes ``target``, a folder that is not there yet. Raises ``OSError`` where the disk is full."""
    target.mkdir(mode=0o700)
    shards = _shards(folder)
    done, total = 0, folder.nbytes
    placed: dict[str, str] = {}
    for number, parts in enumerate(shards, 1):
        single = len(shards) == 1
        name = "model.safetensors" if single else f"model-{number:05}-of-{len(shards):05}.safetensors"
        stored = [entry for part in parts for entry in part.stored]
        placed |= {entry[0]: name for entry in stored}
        with (target / name).open("wb") as file:
            file.write(_header(stored))
            for part in parts:
                for array in part.make():
                    data = _bytes(array)
                    file.write(data)
                    done += len(data)
                    advanced(done, total)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(placed.items()))}
    (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    (target / "config.json").write_text(json.dumps(folder.config, indent=2, ensure_ascii=False))
    for name, content in folder.files.items():
        if isinstance(content, Path):
            shutil.copyfile(content, target / name)
        else:
            (target / name).write_text(content, encoding="utf-8")


def _shards(folder: Folder) -> list[list[Part]]:
    shards: list[list[Part]] = [[]]
    size = 0
    for part in folder.parts:
        if shards[-1] and size + part.nbytes > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(part)
        size += part.nbytes
    return shards


def _header(stored: list[tuple[str, str, tuple[int, ...]]]) -> bytes:
    """A safetensors file before its data, which lie in the order of ``stored``."""
    entries: dict[str, Any] = {"__metadata__": {"format": "mlx"}}
    at = 0
    for name, dtype, shape in stored:
        end = at + math.prod(shape) * BYTES[dtype]
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return pack("<Q", len(text)) + text


def _bytes(array: mx.array) -> bytes:
    import mlx.core as mx

    raw = array.view(mx.uint16) if array.dtype == mx.bfloat16 else array
    return np.ascontiguousarray(np.array(raw)).tobytes()

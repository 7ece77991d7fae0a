"""A GGUF model in another file type: what each of its tensors becomes, before the first is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlxr.metal.tensors import TensorType
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.gguf.file import QUANTIZATION_VERSION, GGUFFile
from mlxr.models.formats.gguf.pairs import Kind, Pair, model_pairs, replaced
from mlxr.models.formats.gguf.writer import size_of_file
from mlxr.models.quantization.encoding import Output, Source
from mlxr.models.quantization.file_types import FILE_TYPE_NAMES, FileType, file_type_of
from mlxr.models.quantization.importance import Importance
from mlxr.models.quantization.mixes import PLAIN, ModelFacts, Shape
from mlxr.models.quantization.tensor_types import Choices, Chosen, chosen_types, in_file_order, needs_importance


@dataclass(frozen=True, slots=True)
class Model:
    """What is to be written, in the types that it has now.

    path: where it comes from, for errors.
    metadata: values by GGUF's keys. ``pairs``: the same as they are written.
    tensors: by GGUF's names.
    quantized: what its matrices are quantized by where their types do not show it; empty where they do.
    """

    path: Path
    metadata: Mapping[str, Any]
    pairs: Sequence[Pair]
    tensors: Mapping[str, Source]
    quantized: str = ""

    @classmethod
    def of_gguf(cls, path: Path) -> Model:
        """Opens a GGUF model. Raises as ``GGUFFile.open``."""
        file = GGUFFile.open(path)
        return cls(file.path, file.metadata, model_pairs(file), file.tensors)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole file, still to be written. ``fallbacks``: of tensors that can't have the type that they should."""

    pairs: Sequence[Pair]
    outputs: Sequence[Output]
    fallbacks: Sequence[Chosen] = ()

    @property
    def nbytes(self) -> int:
        return size_of_file(self.pairs, [output.entry for output in self.outputs])


def plan(
    model: Model,
    file_type: FileType | None,
    importance: Importance | None = None,
    choices: Choices | None = None,
    requantize: bool = False,
) -> Plan:
    """Returns what the model becomes as ``file_type``; None keeps its types.

    Raises ``UnsupportedModelError`` for a source that is quantized already, without ``requantize``, and where an
    importance matrix is needed; ``ModelFileError`` where the one given is another model's.
    """
    made = outline(model, file_type, importance, choices)
    if file_type is None:
        return made
    if model.quantized and file_type.base not in PLAIN and not requantize:
        raise _quantized_already(model, model.quantized)
    for output in made.outputs:
        if output.type is not _type(model, output.name):
            _require_encodable(model, output.name, requantize)
            _require_importance(model, output.name, output.type, file_type, importance, output.importance is not None)
    return made


def outline(
    model: Model, file_type: FileType | None, importance: Importance | None = None, choices: Choices | None = None
) -> Plan:
    """Returns the file as it would be, whether or not it may be made: for sizes."""
    names = in_file_order(model.tensors)
    shapes = [Shape(name, _type(model, name), model.tensors[name].shape) for name in names]
    if file_type is None:
        return _as_it_is(model, shapes)
    types = chosen_types(shapes, file_type, _facts(model, importance is not None), choices)
    outputs = []
    for shape in shapes:
        type = types[shape.name].type
        encoded = type is not shape.type
        weights = importance.of(shape.name, shape.shape) if importance and encoded else None
        outputs.append(Output(shape.name, type, model.tensors[shape.name], model.path, weights))
    said = [*_kinds(file_type.number), *(importance.pairs() if importance else ())]
    fallbacks = [chosen for chosen in types.values() if chosen.type is not chosen.wanted]
    return Plan(replaced(model.pairs, *said), outputs, fallbacks)


def is_quantized(model: Model) -> bool:
    """Returns whether its matrices have lost something already."""
    return bool(model.quantized) or any(_type(model, name) not in PLAIN for name in model.tensors)


def requires_importance(made: Plan, model: Model, file_type: FileType) -> bool:
    """Returns whether some of its matrices are garbage without an importance matrix."""
    return any(
        needs_importance(output.name, output.type, file_type)
        for output in made.outputs
        if output.type is not _type(model, output.name)
    )


def _as_it_is(model: Model, shapes: Sequence[Shape]) -> Plan:
    outputs = [Output(shape.name, shape.type, model.tensors[shape.name], model.path) for shape in shapes]
    known = file_type_of(commonest_type(model))
    given = model.metadata.get("general.file_type")
    number = given if isinstance(given, int) else known.number if known else 0
    return Plan(replaced(model.pairs, *_kinds(number)), outputs)


def _kinds(number: int) -> list[Pair]:
    return [
        Pair.of("general.quantization_version", Kind.U32, QUANTIZATION_VERSION),
        Pair.of("general.file_type", Kind.U32, number),
    ]


def describe(model: Model) -> str:
    """Returns what the model's file type is called, or the type of most of its values."""
    known = FILE_TYPE_NAMES.get(model.metadata.get("general.file_type", -1))
    return known or str(commonest_type(model))


def commonest_type(model: Model) -> TensorType:
    """Returns the type of most of a model's values."""
    sizes: dict[TensorType, int] = {}
    for name, tensor in model.tensors.items():
        type = _type(model, name)
        sizes[type] = sizes.get(type, 0) + math.prod(tensor.shape)
    return max(sizes, key=lambda type: sizes[type])


def _type(model: Model, name: str) -> TensorType:
    type = model.tensors[name].type
    if type is None:
        raise UnsupportedModelError(model.path, f"stores tensor {name!r} in a type that mlxr does not read")
    return type


def _require_encodable(model: Model, name: str, requantize: bool) -> None:
    if (type := _type(model, name)) not in PLAIN and not requantize:
        raise _quantized_already(model, f"{name} is {type}")


def _quantized_already(model: Model, how: str) -> UnsupportedModelError:
    reason = f"is quantized already ({how}), and quantizing it again loses more"
    return UnsupportedModelError(model.path, f"{reason}; start from an F16 or BF16 model, or add --requantize")


def _require_importance(
    model: Model, name: str, type: TensorType, file_type: FileType, importance: Importance | None, there: bool
) -> None:
    if there or not needs_importance(name, type, file_type):
        return
    if importance is None:
        way_out = "give one with --imatrix FILE, which `mlxr imatrix MODEL --text FILE` makes"
        raise UnsupportedModelError(model.path, f"becomes garbage as {file_type.name} without importances: {way_out}")
    raise ModelFileError(
        importance.path, f"has nothing on {name!r}, which becomes garbage as {type} without; measure more text"
    )


def _facts(model: Model, importance: bool) -> ModelFacts:
    architecture = str(model.metadata.get("general.architecture", ""))

    def first(key: str, default: int) -> int:
        value = model.metadata.get(f"{architecture}.{key}", default)
        if isinstance(value, np.ndarray) and value.size:
            value = value.flat[0].item()
        return value if isinstance(value, int) and value >= 0 else default

    heads = first("attention.head_count", 0)
    return ModelFacts(
        architecture=architecture,
        layers=first("block_count", 0),
        heads=heads,
        key_heads=first("attention.head_count_kv", heads),
        experts=first("expert_count", 0),
        tied="output.weight" not in model.tensors,
        importance=importance,
    )

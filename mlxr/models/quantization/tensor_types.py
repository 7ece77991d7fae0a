"""Which type each tensor of a model becomes in a file of some type: what people laid down, else what the mix has.

Pure: names and shapes in, types out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlxr.metal.tensors import BLOCKS
from mlxr.metal.tensors import TensorType as T
from mlxr.models.quantization.file_types import FileType
from mlxr.models.quantization.mixes import (
    COUNTED,
    EMBEDDING,
    EMBEDDINGS,
    FALLBACKS,
    FEWEST,
    KEPT,
    KEPT_NAMES,
    NEED_IMPORTANCE,
    OUTPUT,
    PLAIN,
    RULES,
    VALUES,
    ModelFacts,
    Place,
    Role,
    Rule,
    Shape,
    role_of,
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What people lay down themselves.

    pure: every matrix becomes the base type.
    output, embedding: the type of the output projection and of the embedding; None for the mix's.
    keep_output: whether the output projection stays as it is.
    by_name: regular expressions that a name is searched for, and the type of what they find; the first counts.
    """

    pure: bool = False
    output: T | None = None
    embedding: T | None = None
    keep_output: bool = False
    by_name: tuple[tuple[str, T], ...] = ()


def may_quantize(tensor: Shape, choices: Choices) -> bool:
    """Returns whether a tensor is a matrix that has a use for fewer bits."""
    inner = len(tensor.shape)
    while inner and tensor.shape[-inner] == 1:  # a matrix of one row is a vector
        inner -= 1
    name = tensor.name
    if inner < 2 or not name.endswith("weight") or (choices.keep_output and name == "output.weight"):
        return False
    return name not in KEPT_NAMES and not any(part in name for part in KEPT)


class Chosen(NamedTuple):
    """``type``: what a tensor becomes. ``wanted``: what it would, if its rows filled the blocks of that."""

    type: T
    wanted: T


def types_of(
    tensors: Sequence[Shape], file_type: FileType, model: ModelFacts, choices: Choices | None = None
) -> dict[str, T]:
    """Returns the type of every tensor in a file of ``file_type``, as ``chosen_types`` has them."""
    return {name: chosen.type for name, chosen in chosen_types(tensors, file_type, model, choices).items()}


def chosen_types(
    tensors: Sequence[Shape], file_type: FileType, model: ModelFacts, choices: Choices | None = None
) -> dict[str, Chosen]:
    """Returns what every tensor becomes in a file of ``file_type``.

    ``tensors``: in the order in which a file has them, layer by layer (``in_file_order``), since rules count.
    """
    choices = choices or Choices()
    values = sum(role_of(tensor.name) in VALUES for tensor in tensors)
    counts = {Role.VALUE: values, Role.DOWN: model.layers, Role.GATE: model.layers, Role.UP: model.layers}
    seen = dict.fromkeys(counts, 0)
    types: dict[str, Chosen] = {}
    for tensor in tensors:
        if not may_quantize(tensor, choices):
            types[tensor.name] = Chosen(tensor.type, tensor.type)
            continue
        chosen = _laid_down(tensor, file_type, choices)
        if chosen is None:
            wanted = type = file_type.base
            if type not in PLAIN:
                if not choices.pure:
                    wanted, type = _by_mix(tensor, file_type, model, choices, seen, counts)
                type = fitting(type, tensor.shape[-1])
            chosen = Chosen(type, wanted)
        types[tensor.name] = chosen
    return types


def _laid_down(tensor: Shape, file_type: FileType, choices: Choices) -> Chosen | None:
    """What somebody laid down for a tensor; None where nobody did."""
    named = next((type for pattern, type in choices.by_name if re.search(pattern, tensor.name)), None)
    role = role_of(tensor.name)
    if choices.embedding and role is Role.EMBEDDING and not (named and tensor.name == EMBEDDINGS[1]):
        return Chosen(choices.embedding, choices.embedding)
    if choices.output and role is Role.OUTPUT:
        return Chosen(choices.output, choices.output)
    return Chosen(fitting(named, tensor.shape[-1]), named) if named and file_type.base not in PLAIN else None


def _by_mix(
    tensor: Shape,
    file_type: FileType,
    model: ModelFacts,
    choices: Choices,
    seen: dict[Role, int],
    counts: dict[Role, int],
) -> tuple[T, T]:
    """The type that the mix has for a matrix, and the one that it gets where its rows do not fill the base's blocks."""
    if role_of(tensor.name) is Role.OUTPUT or (role_of(tensor.name) is Role.EMBEDDING and model.tied):
        return _output(tensor, file_type, model, choices.output)
    type = _within_mix(tensor, file_type, model, seen, counts)
    return type, type


def _within_mix(
    tensor: Shape, file_type: FileType, model: ModelFacts, seen: dict[Role, int], counts: dict[Role, int]
) -> T:
    role, base = role_of(tensor.name), file_type.base
    if file_type.name == "MXFP4":
        return T.MXFP4 if len(tensor.shape) > 2 and tensor.shape[-3] > 1 else T.Q8_0
    if role is Role.EMBEDDING:
        return _first(EMBEDDING, file_type, Place(0, 1, model)) or base
    counter = COUNTED.get(role)
    index = seen[counter] if counter else 0
    if counter:
        seen[counter] += 1
        # Those of experts are counted by the layer: a layer has several.
        layer = re.match(r"blk\.(\d+)\.", tensor.name)
        if counter is not Role.VALUE and model.experts > 1 and layer and not _narrowest(file_type):
            index = int(layer[1])
    place = Place(index, counts[counter] if counter else 1, model)
    made = _first(RULES.get(role, ()), file_type, place) or base
    if _narrowest(file_type):
        return made
    if role in VALUES and model.of_70b and made in (T.Q3_K, T.Q4_K):
        made = T.Q5_K
    return T.Q8_0 if model.experts == 8 and (role in VALUES or role is Role.KEY) else made


def _narrowest(file_type: FileType) -> bool:
    return file_type.name in FEWEST.split()


def _output(tensor: Shape, file_type: FileType, model: ModelFacts, chosen: T | None) -> tuple[T, T]:
    base = file_type.base
    if chosen:
        return chosen, chosen
    if file_type.name == "MXFP4":
        return T.Q8_0, T.Q8_0
    wanted = _first(OUTPUT, file_type, Place(0, 1, model)) or (base if base is T.Q8_0 else T.Q6_K)
    return wanted, T.Q8_0 if tensor.shape[-1] % BLOCKS[base][0] else wanted


def _first(rules: Iterable[Rule], file_type: FileType, place: Place) -> T | None:
    fits = (rule.becomes for rule in rules if file_type.name in rule.types.split() and rule.when(place))
    return next(fits, None)


def fitting(type: T, columns: int) -> T:
    """Returns ``type``, or what takes its place for rows of so many values."""
    if columns % BLOCKS[type][0] == 0:
        return type
    instead = FALLBACKS.get(type, type)
    return T.F16 if columns % BLOCKS[instead][0] else instead


def needs_importance(name: str, type: T, file_type: FileType) -> bool:
    """Returns whether a matrix of that ``type`` is garbage without an importance matrix."""
    if name in (*EMBEDDINGS, "output.weight"):
        return False
    return type in NEED_IMPORTANCE or (type is T.Q2_K and file_type.name == "Q2_K_S")


def in_file_order(names: Iterable[str]) -> list[str]:
    """Returns names in the order that llama.cpp writes: what is in no layer first, then layer by layer."""

    def place(name: str) -> tuple[int, bytes]:
        layer = re.match(r"blk\.(\d+)\.", name)
        return int(layer[1]) if layer else -1, name.encode()

    return sorted(names, key=place)

"""Whether an adapter fits a model, and where each of its parts goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import ROLES, Place, Shape
from mlxr.metal.specs import AttentionSpec
from mlxr.models.adapters.file import AdapterFile, Pair
from mlxr.models.architectures.config_json import text_tensors
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format

SEVERAL: Mapping[str, tuple[str, ...]] = {"query_key_value": ("query", "key", "value"), "gate_up": ("gate", "up")}
"""Roles of tensors that hold several matrices, above one another."""


@dataclass(frozen=True, slots=True)
class AdapterBase:
    """What adapters must know of a model.

    ``path``: its file or folder.
    ``architecture``: what its files call it.
    ``family``, ``format``, ``spec``: how its tensors are called and laid out.
    ``places``: its matrices that adapters can be for.
    """

    path: Path
    architecture: str
    family: Family
    format: Format
    spec: DecoderSpec
    places: Mapping[Place, Shape]


@dataclass(frozen=True, slots=True)
class FittedPart:
    """What a pair adds to one matrix: rows [``begin``, ``end``) of its ``up``, in the order ``rows`` where the model's
    files have another than the adapter's."""

    place: Place
    pair: Pair
    begin: int
    end: int
    rows: NDArray[np.intp] | None = None


def fitted(adapter: AdapterFile, base: AdapterBase) -> list[FittedPart]:
    """Returns all parts of the adapter with their places. Raises ``UnsupportedModelError`` where one has none, or one
    of another size; the message names the file, the tensor and the way out."""
    _require_architecture(adapter, base)
    names = _tensor_names(base, adapter.format)
    parts: list[FittedPart] = []
    for name, pair in text_tensors(adapter.pairs).items():
        layer, role = names.find(name)
        roles = SEVERAL.get(role, (role,))
        if any((layer, each) not in base.places for each in roles):
            raise _no_place(adapter, base, pair, name)
        shapes = [base.places[layer, each] for each in roles]
        wanted = sum(outputs for outputs, _ in shapes), shapes[0][1]
        if pair.shape != wanted:
            wrong = pair.up if pair.shape[1] == wanted[1] else pair.down
            reason = f"has a tensor {wrong.name!r} of shape {wrong.shape}, for a matrix of {pair.shape}"
            way_out = f"use it with the model that it was trained for{_named(adapter)}"
            raise UnsupportedModelError(adapter.path, f"{reason}; that of {base.path.name} is {wanted}, so {way_out}")
        parts += _split(adapter, base, pair, layer, roles, [outputs for outputs, _ in shapes])
    return parts


def _require_architecture(adapter: AdapterFile, base: AdapterBase) -> None:
    if adapter.architecture and adapter.architecture not in base.family.tables[Format.GGUF].architectures:
        reason = f"is for models of the architecture {adapter.architecture[:60]!r}, and {base.path.name} is"
        way_out = f"use it with the model that it was trained for{_named(adapter)}"
        raise UnsupportedModelError(adapter.path, f"{reason} {base.architecture!r}; {way_out}")


def _named(adapter: AdapterFile) -> str:
    return f", {adapter.base[:100]}" if adapter.base else ""


def _no_place(adapter: AdapterFile, base: AdapterBase, pair: Pair, name: str) -> UnsupportedModelError:
    reason = f"has a tensor {pair.down.name!r} for {name!r}, which {base.path.name} has no place for"
    roles = sorted({role for _, role in base.places}, key=ROLES.index)
    able = f"mlxr applies adapters to its layers' {', '.join(roles)}" if roles else "mlxr applies no adapters to it"
    return UnsupportedModelError(
        adapter.path, f"{reason}; {able}, so use a model of another shape or merge the adapter into the weights"
    )


class _Names:
    """The roles of a family's tensors by their names in one format."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._patterns = [
            (re.compile(re.escape(name).replace(r"\{layer\}", r"(\d{1,6})")), role)
            for role, name in names.items()
            if "{layer}" in name and "{expert}" not in name
        ]

    def find(self, name: str) -> tuple[int, str]:
        """Returns a tensor's layer and role; (-1, '') where it has none. A name that stands for several matrices wins:
        tables of families have those of their formats besides."""
        found = [(int(match[1]), role) for pattern, role in self._patterns if (match := pattern.fullmatch(name))]
        return max(found, key=lambda each: each[1] in SEVERAL, default=(-1, ""))


def _tensor_names(base: AdapterBase, format: Format) -> _Names:
    tables = base.family.tables
    found = tables.get(format) or tables.get(Format.HUGGING_FACE if format is Format.MLX else format)
    return _Names(found.names if found is not None else {})


def _split(
    adapter: AdapterFile, base: AdapterBase, pair: Pair, layer: int, roles: tuple[str, ...], outputs: list[int]
) -> Iterator[FittedPart]:
    begin = 0
    for role, count in zip(roles, outputs, strict=True):
        yield FittedPart((layer, role), pair, begin, begin + count, _order(adapter, base, layer, role, count))
        begin += count


def _order(adapter: AdapterFile, base: AdapterBase, layer: int, role: str, count: int) -> NDArray[np.intp] | None:
    """Which row of the adapter each row of the model's matrix is, where they stand in another order."""
    mixer = base.spec.layers[layer].mixer
    in_gguf = base.format is Format.GGUF
    same = in_gguf == (adapter.format is Format.GGUF)
    if same or not base.family.reordered or role not in ("query", "key") or not isinstance(mixer, AttentionSpec):
        return None
    # llama.cpp's converter: the halves of each head's rows become every other row.
    heads = mixer.heads if role == "query" else mixer.kv_heads
    halves = np.arange(count).reshape(heads, 2, -1).swapaxes(1, 2).reshape(-1)
    return halves if in_gguf else np.argsort(halves)

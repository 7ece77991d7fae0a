"""What becomes of a folder's tensors on their way into a GGUF file.

Each GGUF tensor is made of one tensor of the folder or of several, by the roles that both have: rows in another order,
experts above one another, parts of what was one, norms that a format stores as their distance from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensor_rows import sorted_rows, stacked
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.conversion.places import Place, by_expert, name_of, places_of
from mlxr.models.modelfile import StoredTensor
from mlxr.models.quantization.encoding import Source, Whole

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heads:
    """How many heads queries and keys have, whose rows stand in another order in GGUF files; 0 where they do not."""

    queries: int = 0
    keys: int = 0

    def of(self, role: str) -> int:
        return {"query": self.queries, "query_bias": self.queries, "key": self.keys, "key_bias": self.keys}.get(role, 0)


OFFSET_NORMS = frozenset(
    {"norm", "attention_norm", "feed_forward_norm", "attention_post_norm", "feed_forward_post_norm"}
    | {"query_norm", "key_norm"}
)
"""Norms that a format may store as their distance from 1."""

TOGETHER = {f"experts_{part}_together": f"experts_{part}" for part in ("gate", "up", "down")}
"""Roles of experts' matrices that a folder keeps as one tensor, and what GGUF calls them."""

SPLIT = {
    "shared_gate_up": ("shared_gate", "shared_up"),
    "experts_gate_up": ("experts_gate", "experts_up"),
    "gate_up": ("gate", "up"),
}
"""Roles of what a folder keeps as one, and those of the two that GGUF keeps."""


def to_gguf(
    tensors: Mapping[str, StoredTensor], table: FormatTable, gguf: FormatTable, heads: Heads
) -> Iterator[tuple[str, Source]]:
    """Yields the GGUF tensors that a folder's make, by their names there. Tensors that the family has no name for are
    left out (``leftovers`` has looked at them)."""
    places = places_of(table.names, tensors)
    for (role, layer), parts in by_expert(places).items():
        yield name_of(gguf.names, Place(role, layer)), _above_one_another([tensors[part] for part in parts])
    for name, place in places.items():
        if place.expert >= 0:
            continue
        tensor = tensors[name]
        role = TOGETHER.get(place.role, place.role)
        halves = SPLIT.get(role, ())
        if halves and (role not in gguf.names or role == "experts_gate_up"):
            for number, half in enumerate(halves):
                yield name_of(gguf.names, Place(half, place.layer)), _half(tensor, number)
            continue
        source: Source = tensor
        if count := heads.of(role):
            source = _reordered(tensor, count)
        elif role in OFFSET_NORMS and table.norm_offset != gguf.norm_offset:
            source = _shifted(tensor, table.norm_offset - gguf.norm_offset)
        yield name_of(gguf.names, Place(role, place.layer)), source


def neighbours(rows: int, heads: int) -> NDArray[np.intp]:
    """Returns the order of rows in which those that turn together are neighbours, from that in which they are halves of
    a head: GGUF's, from Hugging Face's."""
    order: NDArray[np.intp] = np.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).reshape(-1)
    return order


def _reordered(tensor: StoredTensor, heads: int) -> Source:
    order = neighbours(tensor.shape[0], heads)
    if len(tensor.shape) == 1:
        return _numbers(tensor, lambda values: values[order])
    return Whole(tensor.name, tensor.require_type(), tensor.shape, lambda: sorted_rows(tensor.read(), order))


def _shifted(tensor: StoredTensor, offset: float) -> Source:
    return _numbers(tensor, lambda values: values + np.float32(offset))


def _above_one_another(parts: Sequence[StoredTensor]) -> Source:
    """The matrices of experts, or vectors of heads, as one tensor."""
    shape = (len(parts), *parts[0].shape)
    if len(parts[0].shape) == 1:
        return _made(parts[0], shape, lambda: np.stack([_values(part) for part in parts]))
    return Whole(parts[0].name, parts[0].require_type(), shape, lambda: stacked([part.read() for part in parts]))


def _half(tensor: StoredTensor, number: int) -> Source:
    """One of two matrices that lie above one another, in each expert's where there are experts."""
    *outer, rows, columns = tensor.shape
    each, count = rows // 2, int(np.prod(outer, dtype=np.int64))
    starts = [expert * rows + number * each for expert in range(count)]

    def make() -> Tensor:
        return stacked([tensor.read_rows(start, each) for start in starts])

    return Whole(tensor.name, tensor.require_type(), (*outer, each, columns), make)


def _numbers(tensor: StoredTensor, change: Callable[[Floats], Floats]) -> Source:
    return _made(tensor, tensor.shape, lambda: change(_values(tensor)))


def _made(tensor: StoredTensor, shape: tuple[int, ...], make: Callable[[], Floats]) -> Source:
    def made() -> Tensor:
        values = np.ascontiguousarray(make(), np.float32).reshape(-1, shape[-1])
        return Tensor(tensor.name, TensorType.F32, values.shape, values.view(np.uint8))

    return Whole(tensor.name, TensorType.F32, shape, made)


def _values(tensor: StoredTensor) -> Floats:
    return np.asarray(dequantize(tensor.read()), np.float32).reshape(tensor.shape)

"""The pages that keep what is needed of past tokens: their geometry, and what a backend allocates for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import CacheGroup
from mlxr.runtime.messages.kv import CacheKind


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One cache group's part of the pool.

    ``page_size``: tokens a page; of states, how far apart in a prompt they are kept for reuse.
    """

    group: CacheGroup
    pages: int
    page_size: int

    def layer_numbers(self) -> int:
        """Stored numbers of one layer, all pages together."""
        return self.pages * self.group.page_numbers(self.page_size)


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """Geometry of a model's pool.

    The logical layout of a layer that keeps keys and values is ``[pages, page_size, kv_heads, head_dim]`` each; a
    backend may order a page as suits it.
    """

    groups: tuple[GroupSpec, ...]

    @classmethod
    def even(cls, groups: Iterable[CacheGroup], pages: int, page_size: int) -> PoolSpec:
        """Every group has so many pages."""
        return cls(tuple(GroupSpec(group, pages, page_size) for group in groups))

    def sized(self, pages: Sequence[int]) -> PoolSpec:
        """Returns the same pool with so many pages of each group."""
        return PoolSpec(tuple(replace(part, pages=count) for part, count in zip(self.groups, pages, strict=True)))

    def layers(self) -> Iterator[tuple[int, int, GroupSpec]]:
        """Yields each layer's number, its group's place and its group, in the order of groups."""
        for index, part in enumerate(self.groups):
            for layer in part.group.layers:
                yield layer, index, part

    def numbers(self) -> int:
        """Stored numbers of all layers and pages."""
        return sum(len(part.group.layers) * part.layer_numbers() for part in self.groups)


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """A device's memory, in bytes.

    ``free``: what it can still give.
    ``shared``: it is the system's own (Apple's chips).
    ``held``: what this process has of it.
    ``total``: what all may have together.
    """

    free: int
    shared: bool
    held: int = 0
    total: int = 0


@dataclass(slots=True)
class Pool:
    """The pages of one model.

    ``layers[i]``: what the backend keeps for layer i; an operation that writes replaces it, and nothing else may hold
    those arrays, or MLX would copy the pool to write to it.
    ``of_file``: its memory is a file's.
    ``group_of[i]``: the place of layer i's group, and so of its tables in a batch.
    """

    spec: PoolSpec
    layers: dict[int, Any]
    nbytes: int
    of_file: bool = False
    group_of: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.group_of = {layer: index for layer, index, _ in self.spec.layers()}


class FilePools(Protocol):
    """What a backend makes whose pools may have a file's memory (tmpfs), which outlives the process. Pages that were
    never written have what one of the same layout left there."""

    def nbytes(self, spec: PoolSpec) -> int:
        """Returns the bytes that such a pool takes of a file."""
        ...

    def pool(self, spec: PoolSpec, file: int, offset: int) -> Pool:
        """Makes a pool of an open ``file``'s bytes from ``offset`` on, a multiple of 2 MB. Raises ``MemoryError``, and
        as ``Backend.pool`` does."""
        ...

    def require_huge(self, pool: Pool) -> None:
        """Raises ``OSError`` where the system can't make huge pages of the file's, as the process's own memory has."""
        ...

    def provide(self, pool: Pool, group: int, pages: Sequence[int]) -> None:
        """Has the file system give pages their memory, which may be written to from then on: writing to one that it has
        no room for would end the process. Raises ``OSError`` where it has none."""
        ...

    def parts(self, pool: Pool, group: int) -> list[NDArray[np.uint8]]:
        """Returns views ``[pages, bytes]`` that side by side are what ``Backend.read_pages`` reads."""
        ...


def require_kinds(spec: PoolSpec, backend: str, *kinds: CacheKind) -> None:
    """Raises ``ValueError`` where the pool has a group of another kind, which the backend can't keep."""
    for part in spec.groups:
        if part.group.kind not in kinds:
            raise ValueError(f"the {backend} backend keeps no {part.group.kind} pages; it knows {', '.join(kinds)}")

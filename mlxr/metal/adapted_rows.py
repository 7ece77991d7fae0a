"""To which rows of a step which adapters add, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import AdapterStack, AdapterUse
from mlxr.metal.batch import Batch


@dataclass(frozen=True, slots=True)
class AdaptedRows:
    """Rows of a step, int32, to which one adapter adds."""

    use: AdapterUse
    rows: NDArray[np.int32]


def row_stacks(batch: Batch) -> tuple[list[AdapterStack], NDArray[np.int32]]:
    """Returns the stacks of a batch that has adapters, each once, and for each row of the step which of them is its
    own, int32 ``[T]``, -1 for none."""
    known: dict[tuple[tuple[int, float], ...], int] = {}
    stacks: list[AdapterStack] = []
    owner: list[int] = []
    for stack in batch.adapters:
        key = tuple((id(use.adapter), use.scale) for use in stack)
        if stack and key not in known:
            known[key] = len(stacks)
            stacks.append(stack)
        owner.append(known[key] if stack else -1)
    return stacks, np.repeat(np.array(owner, np.int32), np.diff(batch.query_starts))


def adapted_rows(batch: Batch) -> list[AdaptedRows]:
    """Returns what is to be added to a step, in that order: to each row its first adapter, then its second, and so
    on."""
    if not batch.adapters:
        return []
    stacks, owner = row_stacks(batch)
    found: list[AdaptedRows] = []
    for depth in range(max(map(len, stacks), default=0)):
        owners: dict[tuple[int, float], tuple[AdapterUse, list[int]]] = {}
        for index, stack in enumerate(stacks):
            if depth < len(stack):
                use = stack[depth]
                owners.setdefault((id(use.adapter), use.scale), (use, []))[1].append(index)
        for use, which in owners.values():
            found.append(AdaptedRows(use, np.flatnonzero(np.isin(owner, which)).astype(np.int32)))
    return found

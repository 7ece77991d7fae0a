"""From an adapter's files to what a backend applies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import LowRank, Place
from mlxr.metal.reference.dequantize import dequantize
from mlxr.models.adapters.fitting import AdapterBase, FittedPart, fitted
from mlxr.models.adapters.opening import open_adapter
from mlxr.models.modelfile import StoredTensor

if TYPE_CHECKING:
    from mlxr.metal.backend import Backend


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """``handle``: what a batch's ``AdapterUse`` has. ``nbytes``: of its matrices as the backend holds them."""

    handle: Any
    nbytes: int


def check_adapter(path: Path, base: AdapterBase) -> None:
    """Looks whether ``load_adapter`` would take this for that model, by its headers alone; raises as it does."""
    fitted(open_adapter(path), base)


def load_adapter(
    path: Path, base: AdapterBase, backend: Backend, between: Callable[[], None] = lambda: None
) -> LoadedAdapter:
    """Reads an adapter for a model that ``backend`` runs, a matrix at a time; ``between`` is called after each, so that
    a thread that does this can let others go first.

    Raises ``ModelError`` for what is wrong with it, or does not fit the model; ``OSError`` where it can't be read.
    """
    parts = fitted(open_adapter(path), base)
    made: dict[Place, Any] = {}
    nbytes = 0
    for part in parts:
        low_rank = _read(part)
        made[part.place] = held = backend.low_rank(low_rank)
        nbytes += sum(matrix.nbytes for matrix in held) if isinstance(held, tuple) else held.nbytes
        between()
    return LoadedAdapter(backend.adapter(made), nbytes)


def _read(part: FittedPart) -> LowRank:
    pair = part.pair
    down, up = (_matrix(tensor, pair.transposed) for tensor in (pair.down, pair.up))
    up = up[part.begin : part.end]
    if part.rows is not None:
        up = up[part.rows]
    return LowRank(np.ascontiguousarray(down), np.ascontiguousarray(up), pair.scaling)


def _matrix(tensor: StoredTensor, transposed: bool) -> NDArray[np.float32]:
    values = dequantize(tensor.read()).reshape(tensor.shape)
    return values.T if transposed else values

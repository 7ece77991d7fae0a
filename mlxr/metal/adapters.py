"""Low-rank adapters (Hu et al. 2021): what they add to a model's matrices.

An adapter adds ``scale * scaling * x @ down.T @ up.T`` to what a matrix makes of ``x``. A sequence may have several,
which are added one after another in its own order, so that a row's result does not depend on its company.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.weights import AttentionWeights, MLPWeights

ROLES = ("query", "key", "value", "output", "gate", "up", "down")
"""The matrices of a layer that adapters can be for, by their names in ``AttentionWeights`` and ``MLPWeights``. Every
backend adds adapters to these, and to no others."""

Place: TypeAlias = tuple[int, str]
"""A layer's number and one of ``ROLES``."""

Shape: TypeAlias = tuple[int, int]
"""Outputs and inputs of a matrix."""


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """What an adapter adds to one matrix: ``down`` float32 ``[rank, in]``, ``up`` float32 ``[out, rank]``, and the
    adapter's own ``scaling`` (alpha over rank)."""

    down: NDArray[np.float32]
    up: NDArray[np.float32]
    scaling: float = 1.0


@dataclass(frozen=True, slots=True)
class AdapterUse:
    """One adapter of a sequence: what the step's backend prepared, and what it is multiplied by."""

    adapter: Any
    scale: float


AdapterStack: TypeAlias = tuple[AdapterUse, ...]
"""A sequence's adapters, in the order in which they are added; empty for the model as it is."""


def adaptable(layer: int, weights: object) -> dict[Place, Shape]:
    """Returns the matrices among a half's ``weights`` that adapters can be for, with their shapes."""
    if not isinstance(weights, AttentionWeights | MLPWeights):
        return {}
    matrices = {role: getattr(weights, role, None) for role in ROLES}
    if isinstance(weights, AttentionWeights) and matrices.pop("gate") is not None:
        matrices.pop("query")  # files keep it and the gate as one, which an adapter is for
    return {(layer, role): matrix.shape for role, matrix in matrices.items() if matrix is not None}


def place_number(layer: int, role: str) -> int:
    """Returns one number for each place of a model."""
    return layer * len(ROLES) + ROLES.index(role)

"""How many bytes backends hold, worked out from shapes and types alone: nothing is read, and MLX is not loaded.

Each backend has its own (``BackendSizes``) in the ``sizes.py`` of its folder, and asks it itself what a pool takes, so
that an estimate and an allocation are one arithmetic. Tests hold sizes of weights to what backends then hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mlxr.metal.pool import PoolSpec
from mlxr.metal.tensors import TensorType

FLOAT_BYTES, HALF_BYTES = 4, 2


@dataclass(frozen=True, slots=True)
class Scales:
    """What a storage type keeps beside its blocks, as far as a header tells.

    ``bits``: of AFFINE codes.
    ``group``: columns that share a scale, for AFFINE and FP8_E4M3, where 0 stands for all of the matrix; values that
    share one for NF4.
    ``whole``: whether there is one more scale for the matrix, or for each row (NVFP4).
    """

    bits: int = 0
    group: int = 0
    whole: bool = False


NO_SCALES = Scales()
"""Of types whose blocks hold all there is."""


@dataclass(frozen=True, slots=True)
class MatrixForm:
    """A stored matrix, as far as its size in memory depends on it. ``nbytes``: what it takes in its file."""

    type: TensorType
    rows: int
    columns: int
    nbytes: int
    scales: Scales = NO_SCALES


class BackendSizes(Protocol):
    """What a backend's ``weight``, ``table`` and ``pool`` will hold, in bytes. Vectors are float32 in every backend."""

    @property
    def name(self) -> str:
        """The backend's."""
        ...

    def matrix(self, form: MatrixForm, encoder: bool = False) -> int: ...

    def table(self, form: MatrixForm) -> int: ...

    def pool(self, spec: PoolSpec) -> int: ...

    def resident(self, spec: PoolSpec) -> int:
        """Returns what is in memory of a larger pool once as many of its pages were used as ``spec`` has."""
        ...

"""Constrained sequences of the executor: which tokens each may take next."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.sequences import Sequence


class ConstraintTable:
    """One matcher for each constrained sequence. The model's vocabulary is read when the first one comes."""

    def __init__(self, path: str) -> None:
        self._path = path

    def open(self, sequence: Sequence) -> None: ...

    def close(self, id: int) -> None: ...

    def mask(self, rows: Rows[Sequence], vocab_size: int) -> NDArray[np.int32] | None:
        """Allowed tokens as bits, int32 ``[R, ceil(vocab_size / 32)]``; None when no row is constrained."""
        return None

    def consume(self, sequence: Sequence, token: int) -> tuple[str, bool]:
        """Take a sampled token in; returns an error, and whether the output is complete."""
        return "", False

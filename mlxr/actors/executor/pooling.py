"""Embeddings: one vector out of a sequence's hidden states, over as many chunks as its prompt took. NumPy only."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.sequences import SequenceTable
from mlxr.runtime.messages.executor import Step, StepRow
from mlxr.runtime.messages.scheduler import Pooled


class Pooling(StrEnum):
    """Which hidden states become the embedding: their mean, the first token's, or the last token's."""

    MEAN = "mean"
    CLS = "cls"
    LAST = "last"


class Pooler:
    """Pools hidden states chunk by chunk; owns what is gathered of inputs that are not complete yet."""

    def __init__(self, pooling: str) -> None:
        self._pooling = Pooling(pooling)
        self._gathered: dict[int, NDArray[np.float64]] = {}

    def wants(self, step: Step) -> bool:
        """Tells whether ``step`` holds part of an input to embed."""
        return any(row.embeds for row in step.rows)

    def forget(self, sequence: int) -> None:
        self._gathered.pop(sequence, None)

    def take(self, step: Step, hidden: NDArray[np.float32], table: SequenceTable) -> list[Pooled]:
        """Takes in a step's hidden states ``[T, D]``; returns the embeddings it completes."""
        pooled: list[Pooled] = []
        begin = 0
        for row in step.rows:
            rows = hidden[begin : begin + row.length]
            begin += row.length
            sequence = table.get(row.sequence)
            if not row.embeds or sequence is None:
                continue
            vector = self._gather(row, rows)
            if row.pool:
                self.forget(sequence.id)
                length = float(np.linalg.norm(vector)) if sequence.normalize else 1.0
                pooled.append(Pooled(sequence.id, (vector / max(length, 1e-12)).astype("<f4").tobytes()))
        return pooled

    def _gather(self, row: StepRow, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns what there is of the embedding once ``rows`` are in."""
        so_far = self._gathered.get(row.sequence)
        vector: NDArray[np.float64]
        match self._pooling:
            case Pooling.LAST:
                vector = rows[-1].astype(np.float64)
            case Pooling.CLS:
                vector = rows[0].astype(np.float64) if so_far is None else so_far
            case Pooling.MEAN:
                total: NDArray[np.float64] = np.sum(rows, axis=0, dtype=np.float64)
                vector = total if so_far is None else total + so_far
        self._gathered[row.sequence] = vector
        length = row.start + row.length
        return vector / length if self._pooling is Pooling.MEAN and row.pool else vector

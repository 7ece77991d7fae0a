"""Embeddings and scores: one vector out of a sequence's hidden states, over as many chunks as its prompt took. NumPy
only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.sequences import SequenceTable
from mlxr.models.architectures.pooling_head import Pooling
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.scheduler import Pooled

Vector: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.float32]

SUMS = {Pooling.MEAN, Pooling.MEAN_SQRT}
"""Ways that need the sum of the hidden states."""


@dataclass(slots=True)
class Gathered:
    """What there is of one input: ``first`` and ``last`` hidden state, sums and maxima, each where a way needs it."""

    first: Vector | None = None
    last: Vector | None = None
    most: Vector | None = None
    total: Vector | None = None
    weighted: Vector | None = None
    tokens: int = 0

    def add(self, rows: Rows, start: int, ways: Sequence[Pooling]) -> None:
        """Takes in hidden states of the tokens from position ``start`` on."""
        if Pooling.CLS in ways and self.first is None:
            self.first = rows[0].astype(np.float64)
        if Pooling.LAST in ways:
            self.last = rows[-1].astype(np.float64)
        if Pooling.MAX in ways:
            most = rows.max(axis=0).astype(np.float64)
            self.most = most if self.most is None else np.maximum(self.most, most)
        if SUMS & set(ways):
            total: Vector = np.sum(rows, axis=0, dtype=np.float64)
            self.total = total if self.total is None else total + self.total
        if Pooling.WEIGHTED_MEAN in ways:
            weights = np.arange(start + 1, start + 1 + len(rows), dtype=np.float64)[:, None]
            weighted: Vector = np.sum(rows * weights, axis=0)
            self.weighted = weighted if self.weighted is None else weighted + self.weighted
        self.tokens = start + len(rows)

    def pooled(self, way: Pooling) -> Vector:
        made = {
            Pooling.CLS: self.first,
            Pooling.LAST: self.last,
            Pooling.MAX: self.most,
            Pooling.MEAN: self.total,
            Pooling.MEAN_SQRT: self.total,
            Pooling.WEIGHTED_MEAN: self.weighted,
        }[way]
        assert made is not None
        return made / _divisor(way, self.tokens)


def _divisor(way: Pooling, tokens: int) -> float:
    match way:
        case Pooling.MEAN:
            return float(tokens)
        case Pooling.MEAN_SQRT:
            return math.sqrt(tokens)
        case Pooling.WEIGHTED_MEAN:
            return tokens * (tokens + 1) / 2
        case _:
            return 1.0


@dataclass(slots=True)
class Pooler:
    """Pools hidden states chunk by chunk; owns what is gathered of inputs that are not complete yet.

    ``ways``: those whose vectors stand one after another.
    ``head``: what pooled vectors ``[N, width]`` go through.
    """

    ways: tuple[Pooling, ...]
    head: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    _gathered: dict[int, Gathered] = field(default_factory=dict)

    def wants(self, step: Step) -> bool:
        """Tells whether ``step`` holds part of an input to embed."""
        return any(row.embeds for row in step.rows)

    def forget(self, sequence: int) -> None:
        self._gathered.pop(sequence, None)

    def take(self, step: Step, hidden: Rows, table: SequenceTable) -> list[Pooled]:
        """Takes in a step's hidden states ``[T, D]``; returns the embeddings it completes."""
        done: list[tuple[int, bool]] = []
        vectors: list[Vector] = []
        begin = 0
        for row in step.rows:
            rows = hidden[begin : begin + row.length]
            begin += row.length
            sequence = table.get(row.sequence)
            if not row.embeds or sequence is None:
                continue
            gathered = self._gathered.setdefault(row.sequence, Gathered())
            gathered.add(rows, row.start, self.ways)
            if row.pool:
                self.forget(sequence.id)
                done.append((sequence.id, sequence.normalize))
                vectors.append(np.concatenate([gathered.pooled(way) for way in self.ways]))
        if not done:
            return []
        made = self.head(np.stack(vectors))
        return [
            Pooled(id, (_unit(vector) if unit else vector).astype("<f4").tobytes())
            for (id, unit), vector in zip(done, made, strict=True)
        ]


def _unit(vector: Vector) -> Vector:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)

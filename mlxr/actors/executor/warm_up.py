"""Launches kernels before requests do, beside them: piece by piece, while nobody wants anything of the device.

A GPU's kernels are compiled when they are first launched. On CUDA that takes up to half a minute for each of MLX's and
0.1 to 1 s for each of our own; both lie on disk from then on. No load waits for that. A request that comes before waits
for the kernels that it needs itself, and for one piece at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec
from mlxr.models.architectures.decoder import Decoder
from mlxr.runtime.messages.kv import CacheKind

log = logging.getLogger("mlxr.executor")

STAGE = "compiling kernels"

QUIET_SECONDS = 0.5
"""How long nobody must have wanted anything of the device before a piece begins: whoever waited for the load, and
streams, go first."""


class WarmUp:
    """Computes the backend's ``first_steps``, a layer at a time, in pages of its own. What comes out is not looked at.
    Belongs to the device's thread, which has no step in flight beside a piece.

    Its pages take memory that the longest step would work with, and go back before one is computed.

    Attributes:
        due: whether there is a piece left.
        done: which part of all pieces has run.
    """

    def __init__(
        self, model: Decoder, backend: Backend, pages: PoolSpec, room_beside: Callable[[int], int], now: float
    ) -> None:
        """``pages``: those of the engine; a step that has no room in so many is left out, as its like never runs.
        ``room_beside``: how many bytes its pages may take beside a step of so many tokens; one that has more is left
        out, too. ``now``: monotonic time."""
        self._model, self._backend = model, backend
        self._worked = now
        self._pool: Pool | None = None
        steps = [
            _WarmUpStep(sequences, length, pages.sized([_taken(part, sequences, length) for part in pages.groups]))
            for sequences, length in backend.first_steps
            if all(part.pages >= _taken(part, sequences, length) for part in pages.groups)
        ]
        steps = [step for step in steps if backend.sizes.pool(step.pages) <= room_beside(step.tokens)]
        self._pieces = self._computed(steps)
        self.due, self.done = bool(steps), 0.0

    def note_work(self, now: float) -> None:
        """Somebody wants something of the device, or streams elsewhere: the pages go back."""
        self._worked = now
        if self._pool is not None:
            self._pool.layers.clear()

    def wait(self, now: float) -> float | None:
        """Returns in how many seconds it is time for a piece, if nobody wants anything; None where none is left."""
        return max(0.0, self._worked + QUIET_SECONDS - now) if self.due else None

    def advance(self) -> None:
        """Computes a piece. A model that can't run it is told of: its requests will fail with reasons of their own."""
        try:
            self.done = next(self._pieces, 1.0)
        except Exception:
            log.exception("a model's kernels can't be compiled before its first requests")
            self._backend.forget_steps()
            self.done = 1.0
        if self.done == 1.0:
            self.due, self._pieces, self._pool = False, iter(()), None

    def _computed(self, steps: Sequence[_WarmUpStep]) -> Iterator[float]:
        """Yields behind each piece which part of all has run. Nothing is left to compute between two: what is asked for
        meanwhile would be computed behind it."""
        for number, step in enumerate(steps):
            self._pool = pool = self._backend.pool(step.pages)
            batch = _batch(step.pages, step.sequences, step.length)
            tokens, hidden = mx.zeros(batch.tokens, mx.int32), mx.zeros(0)
            layers = self._model.by_layer(tokens, self._backend.on_device(batch), pool)
            for layer, hidden in enumerate(layers):
                mx.eval(hidden, *self._backend.barrier(pool))
                yield (number + layer / (self._model.depth + 1)) / len(steps)
                if not pool.layers:
                    pool.layers.update(self._backend.pool(step.pages).layers)
            mx.eval(mx.argmax(self._model.logits(hidden, mx.array(batch.query_starts[1:] - 1)), axis=-1))
            pool.layers.clear()  # before there are those of the next step
            yield (number + 1) / len(steps)


@dataclass(frozen=True, slots=True)
class _WarmUpStep:
    """A step of some sequences that begin. ``length``: tokens of each. ``pages``: a pool of as many as it takes."""

    sequences: int
    length: int
    pages: PoolSpec

    @property
    def tokens(self) -> int:
        return self.sequences * self.length


def _taken(part: GroupSpec, sequences: int, length: int) -> int:
    return sequences * _pages(part, length)


def _pages(part: GroupSpec, length: int) -> int:
    return 1 if part.group.kind is CacheKind.STATE else -(-length // part.page_size)


def _batch(spec: PoolSpec, sequences: int, length: int) -> Batch:
    """Sequences that begin, one behind another."""
    positions = np.tile(np.arange(length, dtype=np.int32), sequences)
    groups = []
    for part in spec.groups:
        pages = _pages(part, length)
        tables = np.arange(sequences * pages, dtype=np.int32).reshape(sequences, pages)
        slots = np.zeros(0, np.int32)
        if part.group.kind is not CacheKind.STATE:
            own = np.repeat(tables, part.page_size, axis=1) * part.page_size
            slots = (own + np.arange(own.shape[1], dtype=np.int32) % part.page_size)[:, :length].reshape(-1)
        groups.append(GroupTables(slots, tables, part.page_size))
    return Batch(
        query_starts=np.arange(sequences + 1, dtype=np.int32) * length,
        context_lengths=np.full(sequences, length, np.int32),
        positions=positions,
        groups=tuple(groups),
    )

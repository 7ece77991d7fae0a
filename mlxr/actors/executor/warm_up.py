"""Steps before the first request, so that no request waits for kernels to be compiled.

A GPU's kernels are compiled when they are first launched. On CUDA that takes up to half a minute for each of MLX's,
which it keeps on disk, and 1 to 3 s for each of our own, which it keeps for the process. What the steps compute is not
looked at, and what they leave in the pool is not read: pages and states are written before. A step that fails leaves
nothing: the pool is made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import mlx.core as mx
import numpy as np

from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.pool import GroupSpec, Pool
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.kv import CacheKind

log = logging.getLogger("mlxr.executor")

STAGE = "compiling kernels"


def warm_up(model: LoadedModel, backend: Backend, runner: ModelRunner, progress: Callable[[str, float], None]) -> None:
    """Runs the backend's ``first_steps`` as far as ``runner``'s pool has room for them. A model that can't run them is
    told of: its requests will fail with reasons of their own."""
    steps = [step for step in backend.first_steps if all(_room(part, *step) for part in runner.pool.spec.groups)]
    if not _ran(model, backend, runner.pool, steps, progress):
        runner.clear()
    if steps:
        progress(STAGE, 1.0)


def _ran(
    model: LoadedModel,
    backend: Backend,
    pool: Pool,
    steps: Sequence[tuple[int, int]],
    progress: Callable[[str, float], None],
) -> bool:
    """Whether none failed; behind the first that does, no other runs. Holds nothing of the pool when it is done."""
    try:
        for number, (sequences, length) in enumerate(steps):
            progress(STAGE, number / len(steps))
            batch = _batch(pool, sequences, length)
            hidden = model.forward(mx.zeros(batch.tokens, mx.int32), batch, pool)
            last = mx.array(batch.query_starts[1:] - 1)
            mx.eval(mx.argmax(model.logits(hidden, last), axis=-1), *backend.barrier(pool))
    except Exception:
        log.exception("a model's kernels can't be compiled before its first request")
        return False
    return True


def _room(part: GroupSpec, sequences: int, length: int) -> bool:
    return part.pages >= sequences * _pages(part, length)


def _pages(part: GroupSpec, length: int) -> int:
    return 1 if part.group.kind is CacheKind.STATE else -(-length // part.page_size)


def _batch(pool: Pool, sequences: int, length: int) -> Batch:
    """Sequences that begin, one behind another."""
    positions = np.tile(np.arange(length, dtype=np.int32), sequences)
    groups = []
    for part in pool.spec.groups:
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

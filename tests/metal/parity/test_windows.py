"""Pages that a sliding window has left behind belong to others: no backend reads them."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.operations import MixerOperation
from mlxr.metal.pool import Pool
from tests.metal.backends import ALL, ALL_IDS
from tests.metal.batches import pool_spec
from tests.metal.parity.test_attention import attention_of, inputs_of, spec_of, steps_of

WINDOW = 20


def spoil(backend: Backend, attend: MixerOperation, pool: Pool, batch: Batch) -> int:
    """Fills all pages before the first key that a query of ``batch`` sees with NaN; returns how many there are."""
    (tables,) = batch.groups
    gone: list[int] = []
    for sequence, (begin, end) in enumerate(zip(batch.query_starts, batch.query_starts[1:], strict=False)):
        if begin < end:
            first = max(0, int(batch.positions[begin]) - WINDOW + 1)
            gone += tables.block_tables[sequence, : first // tables.page_size].tolist()
    for page in gone:
        slots = page * tables.page_size + np.arange(tables.page_size, dtype=np.int32)
        own = GroupTables(slots, np.array([[page]], np.int32), tables.page_size)
        count = np.array([tables.page_size], np.int32)
        step = Batch(np.array([0, tables.page_size], np.int32), count, np.arange(count[0], dtype=np.int32), (own,))
        out = attend(mx.full((tables.page_size, 64), mx.nan), backend.on_device(step), pool)
        mx.eval([out, *backend.barrier(pool)])
    return len(gone)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("page_size", [1, 4, 16, 17, 32])
@pytest.mark.parametrize("dressed", [False, True], ids=["plain", "dressed"])
def test_what_others_write_to_pages_that_a_window_has_left_changes_nothing(
    backend: Backend, page_size: int, dressed: bool
) -> None:
    spec = spec_of(window=WINDOW, softcap=5.0 if dressed else 0.0)
    steps = steps_of([[30, 0, 9], [11, 40, 1], [1, 1, 1], [1, 30, 1], [70, 1, 45], [1, 1, 1]], page_size, 280)
    outs: list[list[np.ndarray]] = []
    spoiled = 0
    for poisons in (False, True):
        pool = backend.pool(pool_spec(1, 280, page_size, spec.kv_heads, spec.head_dim))
        attend = backend.attention(attention_of(backend, spec, dressed), spec, 0)
        results = []
        for batch in steps:
            if poisons:
                spoiled += spoil(backend, attend, pool, batch)
            owners = np.repeat(np.arange(len(batch.context_lengths)), np.diff(batch.query_starts))
            out = attend(mx.array(inputs_of(owners, batch.positions, 1.0)), backend.on_device(batch), pool)
            mx.eval([out, *backend.barrier(pool)])
            results.append(np.array(out))
        outs.append(results)
    assert spoiled > 3
    for clean, poisoned in zip(*outs, strict=True):
        assert np.isfinite(clean).all()
        assert (clean == poisoned).all()

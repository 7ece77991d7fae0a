"""What is common to all layers of a step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.mlx import staging, steps
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.steps import Step
from mlxr.metal.pool import Pool, PoolSpec


@pytest.mark.parametrize(
    ("counts", "singles"),
    [([1, 1], True), ([1], True), ([1, 0], False), ([0, 1], False), ([1, 2], False), ([2], False)],
)
def test_every_sequence_runs_a_token_or_the_step_is_none_of_single_ones(counts: list[int], singles: bool) -> None:
    starts, tokens = np.cumsum([0, *counts]).astype(np.int32), sum(counts)
    tables = GroupTables(np.arange(tokens, dtype=np.int32), np.zeros((len(counts), 1), np.int32), 16)
    batch = Batch(starts, np.array(counts, np.int32), np.zeros(tokens, np.int32), (tables,))
    assert Step(batch).singles is singles


def test_sequences_that_begin_read_no_state() -> None:
    counts, contexts = [1, 1], np.array([7, 1], np.int32)
    starts, pages = np.cumsum([0, *counts]).astype(np.int32), np.array([[3], [0]], np.int32)
    batch = Batch(starts, contexts, contexts - 1, (GroupTables(np.zeros(0, np.int32), pages, 1),))
    layout = np.array(Step(batch).tables[0].state_layout(0))
    assert layout.tolist() == [[0, 1, 3, 3], [1, 2, -1, 0]]


@pytest.mark.parametrize(
    ("counts", "states", "rows"),
    [([1, 1, 1], False, 8), ([1, 1, 1], True, 3), ([3], False, 3), ([1, 2], False, 3), ([3], True, 3), ([1], True, 1)],
)
def test_only_single_tokens_of_sequences_without_states_are_computed_with_more(
    counts: list[int], states: bool, rows: int
) -> None:
    # A token that is computed again from no state has other keys and values, and would write them over its own.
    starts, tokens = np.cumsum([0, *counts]).astype(np.int32), sum(counts)
    contexts = np.array(counts, np.int32) + 4
    positions = np.concatenate([np.arange(4, context) for context in contexts]).astype(np.int32)
    pages = np.arange(len(counts), dtype=np.int32)[:, None]
    groups = [GroupTables(np.repeat(pages[:, 0], counts) * 16 + positions, pages, 16)]
    if states:
        groups.append(GroupTables(np.zeros(0, np.int32), pages, 1))
    given: list[Step] = []

    def layers(tokens: mx.array, step: Step, pool: Pool | None) -> mx.array:
        given.append(step)
        return tokens[:, None] * 2.0

    backend = MlxBackend(replace(WAYS["cpu"], least_rows=8))
    forward = backend.compiled(layers)
    out = forward(mx.arange(tokens), Batch(starts, contexts, positions, tuple(groups)), backend.pool(PoolSpec(())))
    assert out[:, 0].tolist() == [2.0 * token for token in range(tokens)]
    assert [step.tokens for step in given] == [rows]


def test_however_many_sequences_run_some_tokens_their_states_layouts_are_one_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # An array of the host's is written again after some copies, however many of them the device has made by then.
    sequences, copies = 70, list[tuple[int, ...]]()

    def staged(values: Any) -> Any:
        copies.append(values.shape)
        return staging.staged(values)

    monkeypatch.setattr(steps, "staged", staged)
    counts = np.array([2] * (sequences - 1) + [1], np.int32)
    starts, pages = np.cumsum([0, *counts]).astype(np.int32), np.arange(sequences, dtype=np.int32)[::-1, None]
    positions = np.arange(int(starts[-1]), dtype=np.int32) + 5
    step = Step(Batch(starts, counts + 5, positions, (GroupTables(np.zeros(0, np.int32), pages, 1),)))
    layouts = [np.array(step.tables[0].state_layout(run)).tolist() for run in range(len(step.runs))]
    assert layouts == [[[0, run.length, page, page]] for run in step.runs for (page,) in pages[run.sequences].tolist()]
    assert copies == [(sequences, 4)]

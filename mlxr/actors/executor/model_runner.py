"""One loaded model with its page pool: launches steps on the device and collects what they gave."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import mlx.core as mx
import numpy as np

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.buffer_cache import BufferCache
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.drafting import Drafter
from mlxr.actors.executor.drafting.step_drafts import StepDrafts
from mlxr.actors.executor.launched_step import LaunchedPromptLogprobs, LaunchedStep
from mlxr.actors.executor.page_memory import PageMemory
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.pooling import Pooler
from mlxr.actors.executor.sample_reader import SampleReader, token_logprobs
from mlxr.actors.executor.sampling import SamplingBatches
from mlxr.actors.executor.sequences import Layout, SequenceTable, page_sizes
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.sampling import SampledRows
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import PlanRow
from mlxr.runtime.messages.scheduler import ForwardPass, Pooled, PromptLogprobsRow, StepDone
from mlxr.runtime.messages.token_ids import ID_BYTES

PROMPT_LOGPROB_ROWS = 64
"""Positions whose logits are held at once for a prompt's log-probabilities: a row takes a megabyte with a large
vocabulary."""


class ModelRunner:
    """Runs steps in the order they come. All methods belong to the device's thread.

    ``shared``: as in ``PageMemory``. ``drafter_failed``: hears why ``drafter`` makes no drafts any more.
    """

    def __init__(
        self,
        model: LoadedModel,
        backend: Backend,
        spec: PoolSpec | None,
        constraints: ConstraintTable,
        adapters: AdapterTable,
        drafter: Drafter | None = None,
        drafter_failed: Callable[[str], None] = lambda reason: None,
        shared: SharedPool | None = None,
    ) -> None:
        self._model = model
        self._backend = backend
        self._drafts = StepDrafts(drafter, drafter_failed, backend.forget_steps)
        self._cache = BufferCache()
        self._memory = PageMemory(backend, spec, self._cache, shared)
        self._adapters = adapters
        self._table = SequenceTable(adapters.stack)
        self._reader = SampleReader(self._table, constraints)
        self._layout = Layout(page_sizes(spec))
        self._sampling_batches = SamplingBatches()
        self._constraints = constraints
        self._pooler = Pooler(model.pooling, model.pooling_head)
        self._last = mx.zeros(0, mx.int32)
        self._last_row: dict[int, int] = {}
        self._sampled_rows: tuple[list[int], mx.array] = [], self._last
        self._finished_ns = 0

    @property
    def pool(self) -> Pool:
        """The pages of a model that keeps any."""
        assert self._memory.pool is not None
        return self._memory.pool

    @property
    def pool_if_any(self) -> Pool | None:
        return self._memory.pool

    @property
    def pages(self) -> list[int]:
        """How many of each group have memory."""
        return self._memory.pages

    def clear(self) -> None:
        """Starts over with an empty pool, after a step that broke."""
        # Tokens that were to be drawn hold the pool that they were to be drawn with.
        self._memory.drop()
        self._last = mx.zeros(0, mx.int32)
        self._backend.forget_steps()
        self._memory.renew()
        self._pooler = Pooler(self._model.pooling, self._model.pooling_head)
        self._table = SequenceTable(self._adapters.stack)
        self._reader = SampleReader(self._table, self._constraints)
        self._last_row = {}
        self._drafts.clear()

    def launch(self, step: Step, wait_ns: int) -> LaunchedStep:
        """Queues a step's forward pass, and its sampling unless that has to look back at tokens not known yet. Before
        one that resizes the pool, all others must have been finished."""
        for id in self._table.apply(step):
            self._constraints.close(id)
            self._pooler.forget(id)
            self._drafts.forget(id)
        for row in step.rows:
            for id in [row.sequence] * (row.setup is not None) + [id for id, _ in row.register]:
                self._constraints.open(self._table[id])
        launched = LaunchedStep(step, time.monotonic_ns(), wait_ns)
        if any(row.wanted for row in step.rows):
            launched.step = step = self._drafts.fill(launched, self._table)
            launched.launched_ns = time.monotonic_ns()
        self._memory.prepare(step)
        if not step.rows:
            return launched
        batch = self._layout.of(step.rows, self._table)
        if not (self._drafts.watches or batch.adapters or self._pooler.wants(step)):
            batch = _with_outputs(batch, step)
        hidden = self._model.forward(self._inputs(step), batch, self._memory.pool)
        launched.kept += self._drafts.watch(step, hidden)
        self._sample_rows(launched, hidden)
        self._prompt_logprobs(launched, hidden, batch)
        if self._pooler.wants(step):
            launched.pooled = self._model.pooled_input(hidden)
        if launched.logits is not None and not any(self._table[id].needs_history for id in launched.samplers):
            self.sample(launched)
        else:
            launched.done = hidden
            mx.async_eval(self._outputs(launched, hidden))
        return launched

    def sample(self, launched: LaunchedStep) -> None:
        """Queues the sampling of a launched step, if it is not queued yet."""
        if launched.logits is None or launched.sampled is not None:
            return
        rows = [self._table[id] for id in launched.samplers]
        launched.validator = self._constraints.validator(rows, launched.drafts)
        settings = self._sampling_batches.of(rows, launched.positions, launched.validator, launched.drafts)
        launched.sampled = self._backend.sample(launched.logits, settings)
        self._last = launched.sampled.tokens
        self._last_row = {id: index for index, id in enumerate(launched.samplers)}
        launched.logits = None
        mx.async_eval(self._outputs(launched, None))

    def finish(self, launched: LaunchedStep) -> StepDone:
        """Waits for a launched step and reads its answers."""
        step = launched.step
        # Not left to the reading of arrays: the device may ask the validator, for which this thread must have let go of
        # the interpreter's lock.
        mx.eval(*_awaited(launched))
        self._cache.note()
        sampled, verified, lost = self._reader.read(launched)
        prompt_logprobs = [
            PromptLogprobsRow(part.sequence, part.start, token_logprobs(part.rows, part.tokens, part.top))
            for part in launched.prompt_logprobs
        ]
        pooled: list[Pooled] = []
        if launched.pooled is not None:
            pooled = self._pooler.take(step, np.array(launched.pooled), self._table)
        now = time.monotonic_ns()
        device_ns = now - max(launched.launched_ns, self._finished_ns)
        self._finished_ns = now
        ran = [row.sequence for row in step.rows]
        return StepDone(
            epoch=step.epoch,
            step=step.step,
            sampled=sampled,
            prompt_logprobs=prompt_logprobs,
            pooled=pooled,
            device_ns=device_ns,
            wait_ns=launched.wait_ns,
            done_ns=now,
            ran=ran,
            verified=verified,
            forced=self._reader.forced(launched, sampled),
            lost=lost,
            ended_sections=self._reader.ended_sections(launched),
            drafting=[ForwardPass(tokens, nanoseconds) for tokens, nanoseconds in launched.drafting],
        )

    def _inputs(self, step: Step) -> mx.array:
        """Token ids of the flat batch, int32 ``[T]``; those still on the device are gathered there."""
        known = bytearray()
        index: list[int] = []
        waiting = False
        base = self._last.size
        for row in step.rows:
            if row.tokens is not None:
                first = base + len(known) // ID_BYTES
                index.extend(range(first, first + row.length))
                known += row.tokens.packed
            else:
                index.append(self._last_row[row.sequence])
                waiting = True
        if not waiting:
            return mx.array(np.frombuffer(known, np.int32))
        if not known:
            return self._last if index == list(range(base)) else self._last[mx.array(np.array(index, np.int32))]
        both = mx.concatenate([self._last, mx.array(np.frombuffer(known, np.int32))])
        return both[mx.array(np.array(index, np.int32))]

    def _sample_rows(self, launched: LaunchedStep, hidden: mx.array) -> None:
        rows: list[int] = []
        end = 0
        for row in launched.step.rows:
            end += row.length
            if row.draft:
                self._sample_draft(launched, row, end, rows)
                continue
            for id in row.sample:
                launched.samplers.append(id)
                launched.positions.append(row.start + row.length)
                rows.append(end - 1)
        if rows:
            if rows != self._sampled_rows[0]:
                self._sampled_rows = rows, mx.array(np.array(rows, np.int32))
            launched.logits = self._model.logits(hidden, self._sampled_rows[1])

    def _sample_draft(self, launched: LaunchedStep, row: PlanRow, end: int, rows: list[int]) -> None:
        """Has the position before a draft, and each position of it, sampled."""
        assert row.tokens is not None
        launched.drafts[len(launched.samplers)] = row.tokens[row.length - row.draft :].list()
        for left in range(row.draft, -1, -1):
            launched.samplers.append(row.sequence)
            launched.positions.append(row.start + row.length - left)
            rows.append(end - 1 - left)

    def _prompt_logprobs(self, launched: LaunchedStep, hidden: mx.array, batch: Batch) -> None:
        for index, row in enumerate(launched.step.rows):
            wanted = row.prompt_logprobs
            if wanted is None:
                continue
            first = int(batch.query_starts[index])
            for begin in range(0, len(wanted.tokens), PROMPT_LOGPROB_ROWS):
                part = wanted.tokens[begin : begin + PROMPT_LOGPROB_ROWS].list()
                at = np.arange(first + begin, first + begin + len(part), dtype=np.int32)
                logits = self._model.logits(hidden, mx.array(at))
                rows = self._backend.token_logprobs(logits, mx.array(np.array(part, np.int32)), wanted.top)
                mx.eval(*_arrays(rows))
                start = row.start + begin + 1
                launched.prompt_logprobs.append(LaunchedPromptLogprobs(row.sequence, start, wanted.top, rows, part))

    def _outputs(self, launched: LaunchedStep, hidden: mx.array | None) -> list[mx.array]:
        arrays = _arrays(launched.sampled) if launched.sampled is not None else []
        for array in (launched.logits, launched.pooled):
            if array is not None:
                arrays.append(array)
        if not arrays and hidden is not None:
            arrays.append(hidden)
        return [*arrays, *launched.kept, *self._memory.barrier()]


def _with_outputs(batch: Batch, step: Step) -> Batch:
    """Returns the batch with the tokens behind which something is drawn, where those are not all, nor all are read."""
    outputs: list[int] = []
    end = 0
    for row in step.rows:
        if row.prompt_logprobs is not None:
            return batch
        end += row.length
        if row.draft or row.sample:
            outputs.extend(range(end - 1 - row.draft, end))
    if len(outputs) == batch.tokens:
        return batch
    return dataclasses.replace(batch, outputs=np.array(outputs, np.int32))


def _awaited(launched: LaunchedStep) -> list[mx.array]:
    tokens = launched.sampled.tokens if launched.sampled is not None else launched.done
    return [array for array in (tokens, launched.pooled) if array is not None]


def _arrays(rows: SampledRows) -> list[mx.array]:
    every = (rows.tokens, rows.logprobs, rows.top_tokens, rows.top_logprobs)
    return [array for array in every if array is not None]

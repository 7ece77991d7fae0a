"""One loaded model with its page pool: launches steps on the device and collects what they gave."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

import mlx.core as mx
import numpy as np
from msgspec.structs import replace

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.buffer_cache import BufferCache
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.device_faults import PoolFullError
from mlxr.actors.executor.drafting import CANNOT, Drafter, Made, Wanted
from mlxr.actors.executor.launched import Launched, LaunchedPromptLogprobs
from mlxr.actors.executor.pool_size import group_pages
from mlxr.actors.executor.pooling import Pooler
from mlxr.actors.executor.sample_reader import SampleReader, token_logprobs
from mlxr.actors.executor.sampling import SamplingBatches
from mlxr.actors.executor.sequences import Layout, SequenceTable, page_sizes
from mlxr.actors.executor.sequences import Sequence as KnownSequence
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.sampling import SampledRows
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import PlanRow
from mlxr.runtime.messages.scheduler import ForwardPass, Pooled, PromptLogprobsRow, StepDone
from mlxr.runtime.messages.token_ids import ID_BYTES, TokenIds

log = logging.getLogger("mlxr.executor")

PROMPT_LOGPROB_ROWS = 64
"""Positions whose logits are held at once for a prompt's log-probabilities: a row takes a megabyte with a large
vocabulary."""


class ModelRunner:
    """Runs steps in the order they come. All methods belong to the device's thread.

    ``drafter_failed``: hears why ``drafter`` makes no drafts any more.
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
    ) -> None:
        self._model = model
        self._drafter = drafter
        self._drafter_failed = drafter_failed
        self._backend = backend
        self._spec = spec
        self._pool = self._empty_pool()
        self._cache = BufferCache()
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
        assert self._pool is not None
        return self._pool

    @property
    def pool_if_any(self) -> Pool | None:
        return self._pool

    def clear(self) -> None:
        """Starts over with an empty pool, after a step that broke."""
        # Tokens that were to be drawn hold the pool that they were to be drawn with.
        self._pool, self._last = None, mx.zeros(0, mx.int32)
        self._backend.forget_steps()
        self._pool = self._empty_pool()
        self._pooler = Pooler(self._model.pooling, self._model.pooling_head)
        self._table = SequenceTable(self._adapters.stack)
        self._reader = SampleReader(self._table, self._constraints)
        self._last_row = {}
        if self._drafter is not None:
            self._drafter.clear()

    def _empty_pool(self) -> Pool | None:
        """Returns a pool with all pages, or with the first of them where all would take memory at once."""
        if self._spec is None:
            return None
        groups = group_pages(self._spec, self._backend.sizes, self._backend.lazy_pages)
        return self._backend.pool(self._spec.sized([min(group.extent or group.pages, group.pages) for group in groups]))

    def _make_room(self, pages: Sequence[int]) -> None:
        """Raises ``PoolFullError`` where there is no memory for so many."""
        now = self.pages
        try:
            self._resize([max(wanted, there) for wanted, there in zip(pages, now, strict=True)])
        except (RuntimeError, MemoryError) as error:
            raise PoolFullError(now, str(error)) from error

    def _resize(self, pages: Sequence[int]) -> None:
        self._backend.resize(self.pool, pages)
        self._cache.rest()

    @property
    def pages(self) -> list[int]:
        """How many of each group have memory."""
        return [part.pages for part in self._pool.spec.groups] if self._pool is not None else []

    def launch(self, step: Step, wait_ns: int) -> Launched:
        """Queues a step's forward pass, and its sampling unless that has to look back at tokens not known yet. Before
        one that resizes the pool, all others must have been finished."""
        for id in self._table.apply(step):
            self._constraints.close(id)
            self._pooler.forget(id)
            if self._drafter is not None:
                self._drafter.forget(id)
        for row in step.rows:
            for id in [row.sequence] * (row.setup is not None) + [id for id, _ in row.register]:
                self._constraints.open(self._table[id])
        launched = Launched(step, time.monotonic_ns(), wait_ns)
        if any(row.wanted for row in step.rows):
            launched.step = step = self._with_drafts(launched)
            launched.launched_ns = time.monotonic_ns()
        if self._pool is not None:  # nominal pages have no memory
            sizes = [size.pages for size in step.sizes]
            if sizes:
                self._make_room(sizes)
            for group in {copy.group for copy in step.copies}:
                pairs = [(copy.source, copy.target) for copy in step.copies if copy.group == group]
                self._backend.copy_pages(self._pool, group, pairs)
            if sizes:
                self._resize(sizes)
        if not step.rows:
            return launched
        batch = self._layout.of(step.rows, self._table)
        watched = self._drafter is not None and self._drafter.watches
        if not (watched or batch.adapters or self._pooler.wants(step)):
            batch = _with_outputs(batch, step)
        hidden = self._model.forward(self._inputs(step), batch, self._pool)
        if self._drafter is not None and watched:
            first = 0
            for row in step.rows:
                kept = self._drafter.saw(row.sequence, row.start, hidden, first, row.length)
                launched.kept += [] if kept is None else [kept]
                first += row.length
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

    def sample(self, launched: Launched) -> None:
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

    def finish(self, launched: Launched) -> StepDone:
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

    def _with_drafts(self, launched: Launched) -> Step:
        """Returns the step with the drafts that its rows want, as far as they can be made."""
        step = launched.step
        rows = [row for row in step.rows if row.wanted]
        drafts: list[list[int]] = [[] for _ in rows]
        launched.unread = {row.sequence: CANNOT for row in rows}
        made = self._made([_wanted(row, self._table[row.sequence]) for row in rows])
        if self._drafter is not None and made:
            drafts = [each.draft for each in made]
            launched.unread = {row.sequence: each.unread for row, each in zip(rows, made, strict=True)}
            launched.drafting = self._drafter.forwards
        with_drafts = {
            row.sequence: replace(
                row,
                length=row.length - row.wanted + len(draft),
                tokens=(row.tokens or TokenIds()) + TokenIds.of(draft),
                draft=row.draft - row.wanted + len(draft),
            )
            for row, draft in zip(rows, drafts, strict=True)
        }
        return replace(step, rows=[with_drafts.get(row.sequence, row) for row in step.rows])

    def _made(self, wanted: list[Wanted]) -> list[Made]:
        """Returns what the drafter makes; nothing where it can't any more, for which no request fails."""
        if self._drafter is None:
            return []
        try:
            return self._drafter.draft(wanted)
        except Exception as error:
            log.exception("drafts can't be made; going on without")
            self._drafter = None
            self._backend.forget_steps()
            self._drafter_failed(f"it failed, and drafts no more until the model is loaded anew: {error}")
            return []

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

    def _sample_rows(self, launched: Launched, hidden: mx.array) -> None:
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

    def _sample_draft(self, launched: Launched, row: PlanRow, end: int, rows: list[int]) -> None:
        """Has the position before a draft, and each position of it, sampled."""
        assert row.tokens is not None
        launched.drafts[len(launched.samplers)] = row.tokens[row.length - row.draft :].list()
        for left in range(row.draft, -1, -1):
            launched.samplers.append(row.sequence)
            launched.positions.append(row.start + row.length - left)
            rows.append(end - 1 - left)

    def _prompt_logprobs(self, launched: Launched, hidden: mx.array, batch: Batch) -> None:
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

    def _outputs(self, launched: Launched, hidden: mx.array | None) -> list[mx.array]:
        arrays = _arrays(launched.sampled) if launched.sampled is not None else []
        for array in (launched.logits, launched.pooled):
            if array is not None:
                arrays.append(array)
        if not arrays and hidden is not None:
            arrays.append(hidden)
        arrays += launched.kept
        if self._pool is not None:
            arrays.extend(self._backend.barrier(self._pool))
        return arrays


def _wanted(row: PlanRow, sequence: KnownSequence) -> Wanted:
    """Returns what a row asks of a drafter. Nothing of its sequence is in flight."""
    assert row.tokens is not None
    given, known = row.draft - row.wanted, len(sequence.tokens)
    tokens = sequence.tokens + row.tokens[len(row.tokens) - given :].list() if given else sequence.tokens
    return Wanted(sequence, tokens, known, row.wanted, row.least)


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


def _awaited(launched: Launched) -> list[mx.array]:
    tokens = launched.sampled.tokens if launched.sampled is not None else launched.done
    return [array for array in (tokens, launched.pooled) if array is not None]


def _arrays(rows: SampledRows) -> list[mx.array]:
    every = (rows.tokens, rows.logprobs, rows.top_tokens, rows.top_logprobs)
    return [array for array in every if array is not None]

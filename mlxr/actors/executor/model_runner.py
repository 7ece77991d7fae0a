"""One loaded model with its page pool: launches steps on the device and collects what they gave."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.pooling import Pooler
from mlxr.actors.executor.sampling import SamplingBatches
from mlxr.actors.executor.sequences import Layout, Sequence, SequenceTable, page_sizes
from mlxr.actors.executor.token_validator import MatcherValidator
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.sampling import SampledRows
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, TokenLogprob
from mlxr.runtime.messages.executor import Step, StepRow
from mlxr.runtime.messages.scheduler import Pooled, PromptLogprobsRow, Sampled, StepDone, Verified
from mlxr.runtime.messages.token_ids import ID_BYTES

PROMPT_LOGPROB_ROWS = 64
"""Positions whose logits are held at once for a prompt's log-probabilities: a row takes a megabyte with a large
vocabulary."""


@dataclass(slots=True)
class LaunchedPromptLogprobs:
    """Log-probabilities of some of a prompt's ``tokens``, from position ``start`` on, still on the device."""

    sequence: int
    start: int
    top: int
    rows: SampledRows
    tokens: list[int]


@dataclass(slots=True)
class Launched:
    """A step on its way: what it samples, and the arrays that will hold the answers.

    Attributes:
        samplers: the sequence of each position that is sampled; one with a draft has several, one behind another.
        positions: where what is sampled goes.
        drafts: by the first of a sequence's entries in these, the draft between them.
        validator: what says which tokens constrained sequences may take.
    """

    step: Step
    launched_ns: int
    wait_ns: int
    samplers: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    drafts: dict[int, list[int]] = field(default_factory=dict)
    validator: MatcherValidator | None = None
    logits: mx.array | None = None
    pooled: mx.array | None = None
    sampled: SampledRows | None = None
    done: mx.array | None = None
    prompt_logprobs: list[LaunchedPromptLogprobs] = field(default_factory=list)


class ModelRunner:
    """Runs steps in the order they come. All methods belong to the device's thread."""

    def __init__(
        self,
        model: LoadedModel,
        backend: Backend,
        spec: PoolSpec | None,
        constraints: ConstraintTable,
        adapters: AdapterTable,
    ) -> None:
        self._model = model
        self._backend = backend
        self._spec = spec
        self._pool: Pool | None = backend.pool(spec) if spec else None
        self._adapters = adapters
        self._table = SequenceTable(adapters.stack)
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

    def clear(self) -> None:
        """Start over with an empty pool, after a step that broke."""
        self._pool = None
        self._pool = self._backend.pool(self._spec) if self._spec else None
        self._table = SequenceTable(self._adapters.stack)
        self._last_row = {}

    def launch(self, step: Step, wait_ns: int) -> Launched:
        """Queue a step's forward pass, and its sampling unless that has to look back at tokens not known yet."""
        for id in self._table.apply(step):
            self._constraints.close(id)
            self._pooler.forget(id)
        for row in step.rows:
            for id in [row.sequence] * (row.setup is not None) + [id for id, _ in row.register]:
                self._constraints.open(self._table[id])
        launched = Launched(step, time.monotonic_ns(), wait_ns)
        if self._pool is not None:
            for group in {copy.group for copy in step.copies}:
                pairs = [(copy.source, copy.target) for copy in step.copies if copy.group == group]
                self._backend.copy_pages(self._pool, group, pairs)
        if not step.rows:
            return launched
        batch = self._layout.of(step.rows, self._table)
        hidden = self._model.forward(self._inputs(step), batch, self._pool)
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
        """Queue the sampling of a launched step, if it is not queued yet."""
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
        """Wait for a launched step and read its answers."""
        step = launched.step
        # Not left to the reading of arrays: the device may ask the validator, for which this thread must have let go of
        # the interpreter's lock.
        mx.eval(*_awaited(launched))
        sampled, verified = self._read_samples(launched)
        prompt_logprobs = [
            PromptLogprobsRow(part.sequence, part.start, _logprobs(part.rows, part.tokens, part.top))
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
            step.epoch, step.step, sampled, prompt_logprobs, pooled, device_ns, launched.wait_ns, now, ran, verified
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

    def _sample_draft(self, launched: Launched, row: StepRow, end: int, rows: list[int]) -> None:
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
        if self._pool is not None:
            arrays.extend(self._backend.barrier(self._pool))
        return arrays

    def _read_samples(self, launched: Launched) -> tuple[list[Sampled], list[Verified]]:
        """Returns the tokens that sequences take, and what came of drafts."""
        if launched.sampled is None:
            return [], []
        tokens = cast(list[int], launched.sampled.tokens.tolist())
        logprobs: list[TokenLogprob] = []
        if launched.sampled.logprobs is not None:
            logprobs = _logprobs(launched.sampled, tokens, None)
        result: list[Sampled] = []
        verified: list[Verified] = []
        behind = 0  # Entries up to here are of a draft that has been read.
        for index, (id, token) in enumerate(zip(launched.samplers, tokens, strict=True)):
            sequence = self._table.get(id)
            if sequence is None or index < behind:
                continue
            if draft := launched.drafts.get(index):
                behind = index + 1 + len(draft)
                taken = self._read_draft(launched, sequence, index, draft, tokens, logprobs)
                verified.append(Verified(id, len(draft), len(taken) - 1))
                result += taken
            else:
                result.append(self._take(sequence, token, logprobs[index] if logprobs else None))
        return result, verified

    def _read_draft(
        self,
        launched: Launched,
        sequence: Sequence,
        first: int,
        draft: list[int],
        tokens: list[int],
        logprobs: list[TokenLogprob],
    ) -> list[Sampled]:
        """Returns the tokens that a sequence takes of those sampled from entry ``first`` on: as many as it would have
        come to one by one, of which all but the last are the draft's."""
        taken: list[Sampled] = []
        for at in range(len(draft) + 1):
            index, validator = first + at, launched.validator
            error = self._constraints.reach(sequence, index, validator) if at and validator is not None else None
            taken.append(self._take(sequence, tokens[index], logprobs[index] if logprobs else None, error))
            over = taken[-1].error is not None or taken[-1].finished
            if over or at == len(draft) or tokens[index] != draft[at]:
                break
        return taken

    def _take(
        self, sequence: Sequence, token: int, logprob: TokenLogprob | None, error: ErrorInfo | None = None
    ) -> Sampled:
        """Adds a token to its sequence, unless there is an ``error``."""
        wanted = sequence.sampling.logprobs
        if wanted is None:
            logprob = None
        elif logprob is not None and len(logprob.top) > wanted:
            logprob = TokenLogprob(token, logprob.logprob, logprob.top[:wanted])
        if error is None and token < 0:
            error = ErrorInfo(ErrorCode.INTERNAL, "the model's output is not a number")
        finished = False
        if error is None:
            sequence.tokens.append(token)
            error, finished = self._constraints.consume(sequence, token)
        return Sampled(sequence.id, token, logprob, error, finished)


def _awaited(launched: Launched) -> list[mx.array]:
    tokens = launched.sampled.tokens if launched.sampled is not None else launched.done
    return [array for array in (tokens, launched.pooled) if array is not None]


def _arrays(rows: SampledRows) -> list[mx.array]:
    every = (rows.tokens, rows.logprobs, rows.top_tokens, rows.top_logprobs)
    return [array for array in every if array is not None]


def _logprobs(rows: SampledRows, tokens: list[int], top: int | None) -> list[TokenLogprob]:
    """Log-probabilities as messages; ``top`` cuts the list of alternatives."""
    own: list[float] = np.array(rows.logprobs).tolist()
    others: list[list[tuple[int, float]]] = [[] for _ in tokens]
    if rows.top_tokens is not None and rows.top_logprobs is not None:
        ids: NDArray[np.int32] = np.array(rows.top_tokens)
        values: NDArray[np.float32] = np.array(rows.top_logprobs)
        others = [
            list(zip(row_ids, row_values, strict=True))[:top]
            for row_ids, row_values in zip(ids.tolist(), values.tolist(), strict=True)
        ]
    return [TokenLogprob(token, own[i], others[i]) for i, token in enumerate(tokens)]

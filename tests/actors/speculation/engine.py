"""An engine over a real model: the cores of scheduler and KV manager, the executor's runner with steps one behind
another, and the tokenizer's output streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.draft_sizes import draft_pool
from mlxr.actors.executor.drafting import Drafter
from mlxr.actors.executor.drafting.draft_model import DraftModel
from mlxr.actors.executor.drafting.own_head import OwnHead
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.pool_size import PoolSizes, pool_spec
from mlxr.actors.scheduler.outcome import Outcome
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.models.constraints import ConstraintError
from mlxr.models.loading import LoadedModel
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import index_of, request_of
from mlxr.runtime.messages.executor import CompileConstraint, Step
from mlxr.runtime.messages.kv import GroupPages
from mlxr.runtime.messages.scheduler import ConstraintCompiled, DrafterInfo, DrafterKind, StepDone, StopSequence
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed, TokenRow
from tests.actors.simulation import Engine
from tests.actors.speculation.requests import Asked

LIMITS = Limits(token_budget=96, prefill_chunk=32, max_sequences=16, max_waiting=1000)
PAGE = 8
DRAFTER = DrafterInfo(DrafterKind.DRAFT_MODEL, 0.1, "a draft model")
MOST_CRASHES = 2
"""Crashes that a request may see: with one more it is given up."""


@dataclass
class Answer:
    """What a client got for one choice."""

    tokens: list[int] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)


@dataclass
class PipelinedRunner:
    """The executor's runner as its device thread has it: a step is launched behind the one that runs, and then that one
    is read."""

    runner: ModelRunner
    running: LaunchedStep | None = None

    def run(self, step: Step) -> StepDone | None:
        launched = self.runner.launch(step, 0)
        done = self.collect()
        self.runner.sample(launched)
        self.running = launched
        return done

    def collect(self) -> StepDone | None:
        running, self.running = self.running, None
        return self.runner.finish(running) if running is not None else None


@dataclass(frozen=True)
class Loaded:
    """A model, and what it takes to run it. ``pool_tokens``: few, so that sequences are preempted. ``draft``: a model
    that drafts for it."""

    model: LoadedModel
    backend: Backend
    tokenizer: Tokenizer
    compiler: Compiler
    pool_tokens: int
    draft: LoadedModel | None = None

    def pool(self) -> PoolSpec:
        sizes = PoolSizes(PAGE, self.pool_tokens, self.model.context_length, budget=0, longest_row=LIMITS.token_budget)
        return pool_spec(self.model.cache_groups, sizes, PoolSpec.numbers)

    def device(self) -> PipelinedRunner:
        constraints = ConstraintTable(self.compiler, self.model.vocab_size)
        runner = ModelRunner(self.model, self.backend, self.pool(), constraints, AdapterTable(), self._drafter())
        return PipelinedRunner(runner)

    @property
    def drafter(self) -> DrafterInfo | None:
        """What the scheduler is told of whatever drafts."""
        return DRAFTER if self.draft is not None or self.model.drafting_head is not None else None

    def _drafter(self) -> Drafter | None:
        if (head := self.model.drafting_head) is not None:
            return OwnHead(self.model, head, self.backend, draft_pool(head.groups, PAGE, self.pool_tokens), DRAFTER)
        if self.draft is None:
            return None
        pages = draft_pool(self.draft.cache_groups, PAGE, self.pool_tokens)
        return DraftModel(self.draft, self.backend, pages, self.model.vocab_size, DRAFTER)


class TextEngine(Engine):
    """``choose`` decides which message is taken next, and so who is early and who is late."""

    def __init__(self, loaded: Loaded, choose: Callable[[int], int], speculation: Speculation | None) -> None:
        self.loaded = loaded
        self.asked: dict[int, Asked] = {}
        self.answers: dict[int, Answer] = {}
        self.streams: dict[int, list[OutputStream]] = {}
        self.stops: deque[bytes] = deque()
        groups = [
            GroupPages(part.group.kind, part.pages, part.page_size, part.group.window) for part in loaded.pool().groups
        ]
        super().__init__(LIMITS, 0, 0, choose, groups, loaded.device, speculation, drafter=loaded.drafter)

    def ask(self, request: int, asked: Asked) -> None:
        self.asked[request] = asked
        self.streams[request] = asked.streams(self.loaded.tokenizer)
        if failed := self.scheduler.submit(asked.submit):
            self.ended.setdefault(request, []).append(failed)
        self.pump()

    @property
    def may_crash(self) -> bool:
        """Whether no request would be given up for another crash."""
        return all(request.crashes < MOST_CRASHES for request in self.scheduler.lifecycle.requests())

    def _queues(self) -> list[tuple[deque[bytes], Callable[[bytes], None]]]:
        return [*super()._queues(), (self.stops, self._stop)]

    def _stop(self, raw: bytes) -> None:
        message = self._scheduler_decoder.decode(raw)
        assert isinstance(message, StopSequence)
        if done := self.scheduler.stop(message, 0.0):
            self.ended.setdefault(done.request, []).append(done)
        self.pump()

    def _execute(self, raw: bytes) -> None:
        message = self._executor_decoder.decode(raw)
        if isinstance(message, CompileConstraint):
            made = self.loaded.compiler.compile(message.constraint).result()
            error = str(made) if isinstance(made, ConstraintError) else None
            answer = ConstraintCompiled(message.epoch, message.request, error)
            self.to_scheduler_from_executor.append(msgspec.msgpack.encode(answer))
        elif isinstance(message, Step) and message.epoch == self.epoch:
            self._answer(self.device.run(message))

    def _take(self, outcome: Outcome) -> None:
        super()._take(outcome)
        for row in outcome.rows:
            self._read(row)
        for request in {done.request for done in (*outcome.done, *outcome.failed)}:
            self.streams.pop(request, None)

    def _read(self, row: TokenRow) -> None:
        """Turns tokens into text, as the tokenizer does."""
        streams = self.streams.get(request_of(row.sequence))
        if streams is None:
            return
        stream = streams[index_of(row.sequence)]
        if (delta := stream.take(row)) is None:
            return
        answer = self.answers.setdefault(row.sequence, Answer())
        calls = [(call.index, call.name, call.arguments) for call in delta.tool_calls]
        answer.parts.append(msgspec.structs.replace(delta, tool_calls=[], request=0))
        answer.parts += calls
        answer.tokens = list(stream.tokens)
        if stream.stopped:
            self.stops.append(msgspec.msgpack.encode(StopSequence(row.sequence, len(stream.tokens))))


def outcome(engine: TextEngine, request: int) -> RequestDone | RequestFailed | None:
    """How a request ended."""
    found = engine.ended.get(request, [])
    assert len(found) <= 1, "a request ended twice"
    return found[0] if found else None

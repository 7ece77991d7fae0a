"""The scheduler's core: every event that it hears, and every command that it has to give. No socket, tensor or clock.

Each part owns its piece of the state: ``Lifecycle`` the requests and their sequences, ``InFlightSteps`` the rows of
planned steps, ``Admission`` who gets in, ``Planner`` the steps, ``RowDrafts`` what these have of drafts, ``Recovery``
the executor, ``Compilations`` the constraints, ``LoadedAdapters`` the adapters. ``Feedback`` takes in what became of
the steps.
"""

from __future__ import annotations

from mlxr.actors.scheduler.adapters import LoadedAdapters, not_loaded
from mlxr.actors.scheduler.admission import Admission, admission_order
from mlxr.actors.scheduler.compilations import Compilations, not_compiled
from mlxr.actors.scheduler.feedback import Feedback
from mlxr.actors.scheduler.in_flight import InFlightSteps
from mlxr.actors.scheduler.lifecycle import Lifecycle
from mlxr.actors.scheduler.outcome import Counters, Outcome
from mlxr.actors.scheduler.planner import Planner
from mlxr.actors.scheduler.recovery import Recovery
from mlxr.actors.scheduler.row_drafts import RowDrafts
from mlxr.actors.scheduler.sequences import Request, Sequence
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.actors.scheduler.submission import too_long, too_many
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.executor import CompileConstraint, LoadAdapter, UnloadAdapter
from mlxr.runtime.messages.kv import Admit, Plan, Reset, capacity
from mlxr.runtime.messages.scheduler import (
    AdapterLoaded,
    Admitted,
    ConstraintCompiled,
    Deferred,
    DrafterLost,
    ExecutorLost,
    ExecutorReady,
    KVStats,
    StepDone,
    StepFailed,
    StopSequence,
    Submit,
)
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed


class Scheduler:
    """Holds every request from submission to its end. ``first_step`` must exceed any step a predecessor planned.

    Times are in seconds, of any one clock. ``speculation``: where drafts come from; None for no drafts.
    """

    def __init__(self, limits: Limits, first_step: int = 1, speculation: Speculation | None = None) -> None:
        self.counters = Counters()
        self._drafts = drafts = RowDrafts(speculation)
        self.lifecycle = Lifecycle(self.counters, drafts)
        self._limits = limits
        self._in_flight = InFlightSteps()
        self._compilations = Compilations()
        self._adapters = LoadedAdapters(limits.max_adapters)
        self._admission = Admission(limits, self.lifecycle, self._compilations, self._adapters, self.counters)
        self._planner = Planner(limits, self.lifecycle, self._in_flight, drafts, first_step, self.counters)
        self._feedback = Feedback(self.lifecycle, self._in_flight, drafts, self.counters)
        self._recovery = Recovery(
            self.lifecycle, self._in_flight, self._compilations, self._adapters, self._admission, self.counters
        )

    # What the shell asks.

    @property
    def running(self) -> int:
        return len(self.lifecycle.running)

    @property
    def waiting(self) -> int:
        return len(self.lifecycle.waiting)

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    # Requests come and go.

    def submit(self, event: Submit) -> RequestFailed | None:
        """Queues a request; returns why not if it can't be."""
        if error := self._why_refused(event):
            return RequestFailed(event.request, error)
        self._compilations.submitted(self.lifecycle.open(event))
        return None

    def cancel(self, request: int) -> None:
        if found := self.lifecycle.request(request):
            self.lifecycle.drop(found)

    def stop(self, event: StopSequence, now: float) -> RequestDone | None:
        """Ends a sequence whose text met a stop string."""
        sequence = self.lifecycle.sequence(event.sequence)
        if sequence is None:
            return None
        sequence.request.completion_tokens += event.tokens - sequence.generated
        self.lifecycle.end(sequence)
        return self.lifecycle.close(sequence.request, now)

    def _why_refused(self, submit: Submit) -> ErrorInfo | None:
        recovery = self._recovery
        clients = [sequence.client for sequence in self.lifecycle.waiting]
        refusal = recovery.refusal or too_many(clients, submit.client, self._limits)
        refusal = refusal or self._adapters.refusal(submit.adapters)
        if refusal is None and recovery.ready and recovery.executor is not None:
            refusal = too_long(submit, capacity(recovery.executor.groups))
        return refusal

    # Constraints.

    def constraint_compiled(self, event: ConstraintCompiled) -> RequestFailed | None:
        """A constraint is compiled; returns the failure of its request where it can't be."""
        request = self.lifecycle.request(event.request)
        if request is None or event.epoch != self._recovery.epoch or not request.compiling:
            return None
        self._compilations.answered(request, good=event.error is None)
        if event.error is None:
            return None
        self.lifecycle.drop(request)
        return RequestFailed(event.request, not_compiled(request, event.error))

    def queued(self) -> list[int]:
        """Returns the requests that came since the last call, or whose constraints and adapters turned out to be good
        since."""
        return self._compilations.queued(self._adapters.sound)

    def compilations(self) -> list[CompileConstraint]:
        """Returns the constraints that the executor is to compile before their requests' turn comes."""
        epoch = self._recovery.epoch
        if epoch is None or not self._recovery.ready:
            return []
        waiting = list(self.lifecycle.waiting)
        if all(sequence.request.submit.constraint is None for sequence in waiting):
            return []
        turns = admission_order(waiting, self.lifecycle.running)
        wanted = self._compilations.wanted(dict.fromkeys(sequence.request for sequence in turns))
        return [CompileConstraint(epoch, request.submit.request, constraint) for request, constraint in wanted]

    # Adapters.

    def adapter_commands(self) -> list[LoadAdapter | UnloadAdapter]:
        """Returns what the executor is to load and to forget before the turn of requests comes."""
        epoch, waiting = self._recovery.epoch, self.lifecycle.waiting
        if epoch is None or not self._recovery.ready or not any(s.request.submit.adapters for s in waiting):
            return []
        runs = [*self.lifecycle.running, *(row.sequence for row in self._in_flight.rows())]
        used = {adapter.digest for sequence in runs for adapter in sequence.request.submit.adapters}
        turns = admission_order(list(waiting), self.lifecycle.running)
        return self._adapters.wanted(epoch, dict.fromkeys(sequence.request for sequence in turns), used)

    def adapter_loaded(self, event: AdapterLoaded) -> list[RequestFailed]:
        """An adapter is loaded; returns the failures of its requests where it can't be."""
        if event.epoch != self._recovery.epoch:
            return []
        self._adapters.answered(event.digest, good=event.error is None)
        if event.error is None:
            return []
        failed: list[RequestFailed] = []
        for request in self.lifecycle.requests():
            if any(adapter.digest == event.digest for adapter in request.submit.adapters):
                self.lifecycle.drop(request)
                failed.append(RequestFailed(request.submit.request, not_loaded(request, event.digest, event.error)))
        return failed

    # Admission and steps.

    def admissions(self) -> list[Admit]:
        """Returns the sequences that the KV manager is to look up and hold now."""
        return self._admission.next() if self._recovery.ready else []

    def admitted(self, event: Admitted, now: float) -> Request | None:
        """The KV manager holds a sequence; returns its request if its prompt is begun now."""
        return self._admission.admitted(event, now)

    def kv_stats(self, event: KVStats) -> None:
        self._admission.kv_stats(event)

    def plan(self) -> Plan | None:
        """Returns the next step, or None when there is nothing to run or enough is in flight."""
        executor = self._recovery.executor
        return None if executor is None or not self._recovery.ready else self._planner.plan(executor)

    def deferred(self, event: Deferred) -> tuple[Sequence | None, Outcome]:
        """Rows did not get into their step; returns the sequence preempted to make room, and whom that ended."""
        return self._feedback.deferred(event)

    def step_done(self, event: StepDone, now: float) -> Outcome:
        """A step's results are there; returns what they lead to."""
        return self._feedback.step_done(event, now) if event.epoch == self._recovery.epoch else Outcome()

    # Failure.

    def step_failed(self, event: StepFailed) -> list[RequestFailed] | None:
        """Fails the requests of a step that broke; the others start over. Returns None if it was a dead executor's,
        or one that has been planned anew. One that nobody planned, whose number is negative, has no requests, and
        empties the pool all the same."""
        if event.epoch != self._recovery.epoch:
            return None
        if event.step >= 0 and event.step not in self._in_flight:
            return None  # It was on its way when one before it failed.
        return self._recovery.step_failed(event.sequences, ErrorInfo(ErrorCode.INTERNAL, event.reason))

    def executor_ready(self, event: ExecutorReady) -> bool:
        """A pool is there; returns False if it is one known already."""
        if not self._recovery.executor_ready(event):
            return False
        self._drafts.opened(event.drafter)
        return True

    def drafter_lost(self, event: DrafterLost) -> None:
        """Its executor makes no drafts any more."""
        if event.epoch == self._recovery.epoch:
            self.counters.drafter_failures += 1
            self._drafts.opened(None)

    def executor_lost(self, event: ExecutorLost) -> list[RequestFailed]:
        """Everything that runs will be computed again, if there is to be another executor."""
        failed = self._recovery.executor_lost()
        if event.final:
            failed += self._recovery.give_up(ErrorInfo(ErrorCode.ENGINE_FAILED, event.reason))
        return failed

    def kv_lost(self) -> None:
        """The KV manager knows nothing any more."""
        self._recovery.rewind()

    def reset(self) -> Reset | None:
        """Returns what a KV manager that is to start over is told; None before the first executor."""
        executor = self._recovery.executor
        if executor is None:
            return None
        budget = self._limits.on(executor.step_tokens).token_budget
        return Reset(executor.epoch, executor.groups, executor.contents, budget, executor.disk)

"""Recovery: what happens to requests when executors come and go, steps fail, or pages are lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from mlxr.actors.scheduler.adapters import LoadedAdapters
from mlxr.actors.scheduler.admission import Admission
from mlxr.actors.scheduler.compilations import Compilations
from mlxr.actors.scheduler.in_flight import InFlightSteps
from mlxr.actors.scheduler.lifecycle import Lifecycle
from mlxr.actors.scheduler.outcome import Counters
from mlxr.actors.scheduler.sequences import Request
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.scheduler import ExecutorReady
from mlxr.runtime.messages.tokenizer import RequestFailed

TO_THE_END = sys.maxsize

MOST_CRASHES = 3
"""Executors that may die while they run a request before it is given up."""


class Recovery:
    """Owns what is known of the executor.

    Attributes:
        executor: the latest one that reported in, None before the first.
        ready: it is alive.
        refusal: why no requests are taken any more.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        in_flight: InFlightSteps,
        compilations: Compilations,
        adapters: LoadedAdapters,
        admission: Admission,
        counters: Counters,
    ) -> None:
        self.executor: ExecutorReady | None = None
        self.ready = False
        self.refusal: ErrorInfo | None = None
        self._lifecycle = lifecycle
        self._in_flight = in_flight
        self._compilations = compilations
        self._adapters = adapters
        self._admission = admission
        self._counters = counters

    @property
    def epoch(self) -> int | None:
        return self.executor.epoch if self.executor is not None else None

    def executor_ready(self, event: ExecutorReady) -> bool:
        """A pool is there; returns False if it is one known already."""
        if self.ready and event.epoch == self.epoch:
            return False
        self.executor, self.ready = event, True
        self._compilations.forget(self._lifecycle.requests())
        self._adapters.forget()
        self.rewind()
        return True

    def executor_lost(self) -> list[RequestFailed]:
        """Everything that runs will be computed again, but for requests that keep killing executors."""
        self.ready = False
        self._counters.executor_restarts += 1
        failed = [failure for request in self._on_board() if (failure := self._crashed(request))]
        self._adapters.forget()
        self.rewind()
        return failed

    def step_failed(self, sequences: Iterable[int], error: ErrorInfo) -> list[RequestFailed]:
        """Fails the request whose step broke while it ran alone; everybody else starts over on a clean pool.

        The fault may lie with another request of the step, or with cached pages that left no memory. So each request of
        the step is first run alone up to where it was then, and only the one at fault is failed. Those that are good
        one by one, and were again part of a step that broke, together want more than there is: they run alone to their
        ends.
        """
        owners = dict.fromkeys(sequence.request for id in sequences if (sequence := self._lifecycle.sequence(id)))
        failed: list[RequestFailed] = []
        for request in owners:
            if len(owners) == 1 and request.alone_until:
                failed.append(self._fail(request, error))
                continue
            request.suspected += 1
            reached = max(sequence.computed for sequence in request.sequences)
            request.alone_until = max(1, reached) if request.suspected == 1 else TO_THE_END
        self.rewind()
        return failed

    def give_up(self, error: ErrorInfo) -> list[RequestFailed]:
        """No executor will come any more: fails every request there is and all that are still to come."""
        self.refusal = error
        return [self._fail(request, error) for request in self._lifecycle.requests()]

    def rewind(self) -> None:
        """The pool's content is gone: queues every live sequence again, in order of arrival."""
        self._in_flight.clear()
        self._lifecycle.rewind()
        if self.executor is not None:
            self._admission.emptied(self.executor)

    def _on_board(self) -> list[Request]:
        """Returns the requests that the executor may have died of."""
        running = [row.sequence.request for row in self._in_flight.rows()]
        known = self._lifecycle.requests()
        return [
            request for request in known if request.compiling or self._adapters.waits_for(request) or request in running
        ]

    def _crashed(self, request: Request) -> RequestFailed | None:
        request.crashes += 1
        if request.crashes < MOST_CRASHES:
            return None
        reason = f"the executor died {request.crashes} times while it ran this request; it is not tried again"
        return self._fail(request, ErrorInfo(ErrorCode.ENGINE_FAILED, reason))

    def _fail(self, request: Request, error: ErrorInfo) -> RequestFailed:
        self._lifecycle.drop(request)
        return RequestFailed(request.submit.request, error)

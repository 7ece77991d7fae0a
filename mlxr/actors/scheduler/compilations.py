"""Which constraints the executor has compiled, as far as the scheduler knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from mlxr.actors.scheduler.sequences import Request
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.scheduler import Task

KNOWN = 64
KNOWN_BYTES = 1 << 20
"""Constraints that are taken for compiled, and how long their sources are together: half of what the executor keeps, so
that it has these for sure."""

AHEAD = 1
"""Requests next in the queue whose constraints are had compiled again where they are known no more. Of two, each might
make the other forgotten for ever, if both are long."""


AT_ONCE = 2
"""Constraints that the executor has to compile at a time. It takes them in the order they come in: the others wait
where clients take turns."""


class Compilations:
    """Owns what the executor is known to have compiled, and which requests wait to be called queued until it has.

    A request with a constraint is asked about once when it comes, and again if its constraint has been forgotten by the
    time that its turn is near, or the executor was replaced.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Constraint, None] = OrderedDict()
        self._bytes = 0
        self._unannounced: list[Request] = []

    def submitted(self, request: Request) -> None:
        """The request is in the queue, which nobody has been told."""
        self._unannounced.append(request)

    def queued(self, sound: Callable[[Request], bool] = lambda request: True) -> list[int]:
        """Returns the requests of which it can be told now that they are queued: nothing is wrong with their
        constraints, and they are ``sound`` otherwise."""
        if not self._unannounced:
            return []
        waiting = [request for request in self._unannounced if not request.done]
        good = [request for request in waiting if (self.ready(request) or request.compiled) and sound(request)]
        self._unannounced = [request for request in waiting if request not in good]
        return [request.submit.request for request in good if request.submit.task is Task.GENERATE]

    def forget(self, requests: Iterable[Request]) -> None:
        """There is another executor, which knows none; ``requests`` are all there are."""
        self._known.clear()
        self._bytes = 0
        for request in requests:
            request.compiling = request.compiled = False

    def wanted(self, queue: Iterable[Request]) -> Iterator[tuple[Request, Constraint]]:
        """Yields the requests whose constraints are to be compiled now, with those; ``queue`` is in order of turns."""
        waiting = list(queue)
        free = AT_ONCE - sum(request.compiling for request in waiting)
        for place, request in enumerate(waiting):
            if free <= 0:
                break
            constraint = request.submit.constraint
            if constraint is None or request.compiling or (request.compiled and place >= AHEAD):
                continue
            if not self.ready(request):
                request.compiling = True
                free -= 1
                yield request, constraint

    def answered(self, request: Request, *, good: bool) -> None:
        request.compiling, request.compiled = False, good
        if good and request.submit.constraint is not None:
            self._note(request.submit.constraint)

    def ready(self, request: Request) -> bool:
        """Tells whether the request can run without anything being compiled."""
        constraint = request.submit.constraint
        if constraint is None:
            return True
        if constraint not in self._known:
            return False
        self._note(constraint)
        request.compiled = True
        return True

    def _note(self, constraint: Constraint) -> None:
        if constraint not in self._known:
            self._bytes += len(constraint.source)
        self._known[constraint] = None
        self._known.move_to_end(constraint)
        while len(self._known) > KNOWN or (self._bytes > KNOWN_BYTES and len(self._known) > 1):
            oldest, _ = self._known.popitem(last=False)
            self._bytes -= len(oldest.source)


def not_compiled(request: Request, reason: str) -> ErrorInfo:
    """Returns the error for a request whose constraint can't be compiled; ``reason``: the compiler's sentence."""
    field = request.submit.constraint.field if request.submit.constraint else None
    message = f"the output can't be held to `{field or 'tools'}`: {reason}"
    return ErrorInfo(ErrorCode.INVALID, message, field)

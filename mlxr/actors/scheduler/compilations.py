"""Which constraints the executor has compiled, as far as the scheduler knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from mlxr.actors.scheduler.sequences import Request
from mlxr.runtime.messages.common import Constraint

KNOWN = 64
KNOWN_BYTES = 1 << 20
"""Constraints that are taken for compiled, and how long their sources are together: half of what the executor keeps, so
that it has these for sure."""

AHEAD = 1
"""Requests next in the queue whose constraints are had compiled again where they are known no more. Of two, each might
make the other forgotten for ever, if both are long."""


class Compilations:
    """A request with a constraint is asked about once when it comes, and again if its constraint has been forgotten by
    the time that its turn is near, or the executor was replaced."""

    def __init__(self) -> None:
        self._known: OrderedDict[Constraint, None] = OrderedDict()
        self._bytes = 0

    def forget(self, requests: Iterable[Request]) -> None:
        """There is another executor, which knows none; ``requests`` are all there are."""
        self._known.clear()
        self._bytes = 0
        for request in requests:
            request.compiling = request.compiled = False

    def wanted(self, queue: Iterable[Request]) -> Iterator[tuple[Request, Constraint]]:
        """Those of ``queue``, which is in order of turns, whose constraints are to be compiled now."""
        for place, request in enumerate(queue):
            constraint = request.submit.constraint
            if constraint is None or request.compiling or (request.compiled and place >= AHEAD):
                continue
            if not self.ready(request):
                request.compiling = True
                yield request, constraint

    def answered(self, request: Request, *, good: bool) -> None:
        request.compiling, request.compiled = False, good
        if good and request.submit.constraint is not None:
            self._note(request.submit.constraint)

    def ready(self, request: Request) -> bool:
        """Whether the request can run without anything being compiled."""
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

"""When telemetry's ``state`` is read: it costs an event a second for each open request, so not all the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mlxr.runtime.telemetry import STATE

_TELLERS: Final = {"ActorState": "supervisor", "RequestState": "frontend"}


class StateReader:
    """Reads at the start, until every actor is known; while somebody watches requests; and while it is in doubt which
    requests are open.

    want: begins or ends to read a topic.
    complete: whether the actors are known.
    """

    def __init__(self, want: Callable[[str, bool], None]) -> None:
        self._want = want
        self._reads = False
        self._watched = False
        self._doubted = False
        self._whole: set[str] = set()
        self.complete = False

    def start(self) -> None:
        self._look()

    def watch(self, watched: bool) -> None:
        """Says whether somebody watches requests."""
        self._watched = watched
        self._look()

    def doubt(self, doubted: bool) -> None:
        """Says whether fewer requests are open than are known."""
        self._doubted = doubted
        self._look()

    def passes(self, event: dict[str, Any]) -> bool:
        """Tells whether ``event`` is to be taken in: not if it is part of a state whose beginning was missed."""
        name = event["event"]
        if name in _TELLERS:
            return _TELLERS[name] in self._whole
        if name != "StateShown":
            return True
        teller = event["actor"]
        if teller not in self._whole:
            self._whole.add(teller)
            return False
        self.complete = self.complete or teller == "supervisor"
        self._look()
        return True

    def _look(self) -> None:
        wanted = self._watched or self._doubted or not self.complete
        if wanted == self._reads:
            return
        self._reads = wanted
        self._whole.clear()
        self._want(STATE, wanted)

"""The KV manager: decides where sequences live. A shell around ``Placement``."""

from __future__ import annotations

from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.prefix import chain_root
from mlxr.runtime.actor import Actor, Context, on
from mlxr.runtime.messages.kv import Admit, Plan, Reset
from mlxr.runtime.messages.scheduler import Admitted, KVStats
from mlxr.runtime.telemetry import PagesChanged

STATS_EVERY = 16
"""Plans between two reports on pages while nothing else calls for one."""


class KVActor(Actor):
    """Receives plans from the scheduler, passes steps with physical pages on to the executor."""

    kind = "kv"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._executor, self._scheduler = self.peer("executor"), self.peer("scheduler")
        self._placement: Placement | None = None
        self._epoch = 0
        self._plans = 0

    @on(Reset)
    def reset(self, message: Reset) -> None:
        self._placement = Placement(message.groups, message.longest_row, chain_root(*message.contents))
        self._epoch = message.epoch
        self._report()

    @on(Admit)
    def admit(self, message: Admit) -> None:
        if self._placement is None:
            return  # The scheduler admits again after its Reset.
        cached = self._placement.admit(message.sequence, message.tokens, reuse=message.reuse, adapters=message.adapters)
        self.tell(self._scheduler, Admitted(message.sequence, cached, message.ticket, self._placement.room))

    @on(Plan)
    def plan(self, message: Plan) -> None:
        if self._placement is None or message.epoch != self._epoch:
            return  # Planned for a pool that is gone.
        step, deferred = self._placement.place(message)
        if step is not None:
            self.tell(self._executor, step)
        if deferred is not None:
            self.tell(self._scheduler, deferred)
        self._plans += 1
        if deferred is not None or message.releases or self._plans % STATS_EVERY == 0:
            self._report()

    def _report(self) -> None:
        assert self._placement is not None
        pages = self._placement
        self.tell(self._scheduler, KVStats(pages.held, pages.cached, pages.total, pages.room))
        if self.telemetry.wants("kv"):
            self.telemetry.emit("kv", PagesChanged(self.context.engine, pages.held, pages.cached, pages.total))

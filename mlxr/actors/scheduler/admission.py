"""Admission: which waiting sequences are let in, and have the KV manager look their prompts up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from mlxr.actors.scheduler.adapters import LoadedAdapters
from mlxr.actors.scheduler.compilations import Compilations
from mlxr.actors.scheduler.lifecycle import Lifecycle
from mlxr.actors.scheduler.outcome import Counters
from mlxr.actors.scheduler.preemption import choose_unfair
from mlxr.actors.scheduler.prefix_miss_text import explained
from mlxr.actors.scheduler.sequences import Request, Sequence, Status
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import adapters_address
from mlxr.runtime.messages.kv import Admit, GroupPages
from mlxr.runtime.messages.scheduler import Admitted, ExecutorReady, KVStats


class Admission:
    """Owns the tickets of admissions, and the KV manager's last word on how much room there is.

    The KV manager alone counts pages, and promises them to the sequences that it admits. Its last word is compared here
    with what has been asked for since and not been answered, and never changed.
    """

    def __init__(
        self,
        limits: Limits,
        lifecycle: Lifecycle,
        compilations: Compilations,
        adapters: LoadedAdapters,
        counters: Counters,
    ) -> None:
        self._limits = limits
        self._lifecycle = lifecycle
        self._compilations = compilations
        self._adapters = adapters
        self._counters = counters
        self._tickets = 0
        self._groups: list[GroupPages] = []
        self._room: list[int] = []

    def emptied(self, executor: ExecutorReady) -> None:
        """The pool is the executor's and there is nothing in it."""
        self._groups, self._room = executor.groups, [group.pages for group in executor.groups]

    def kv_stats(self, event: KVStats) -> None:
        self._room = event.room

    def next(self) -> list[Admit]:
        """Admits whose turn it is, as far as there is room. Those whose constraints are being compiled, or whose
        adapters are being loaded, let others pass."""
        admits: list[Admit] = []
        if not self._lifecycle.waiting:
            return admits
        waiting = [
            s
            for s in self._lifecycle.waiting
            if self._compilations.ready(s.request) and self._adapters.ready(s.request)
        ]
        for head in admission_order(waiting, self._lifecycle.running):
            if not (self._below_max_sequences() and self._has_room(head)):
                self._make_room(head)
                break
            if head.in_flight or self._lifecycle.releases_of(head):
                break
            admits.append(self._admit(head))
        return admits

    def admitted(self, event: Admitted, now: float) -> Request | None:
        """The KV manager holds what it found; an answer to an admission that has been undone since is stale. Returns
        the request that it begins."""
        self._room = event.room
        sequence = self._lifecycle.sequence(event.sequence)
        if sequence is None or sequence.status is not Status.ADMITTING or sequence.ticket != event.ticket:
            return None
        self._lifecycle.start(sequence, event.cached)
        request = sequence.request
        if request.started is not None:
            return None
        request.started = now
        request.cached_tokens = min(event.cached, sequence.prompt_length)
        request.restored_tokens = min(event.restored, request.cached_tokens)
        request.miss = explained(event.miss, request.submit.sections)
        self._counters.cached_tokens += request.cached_tokens
        return request

    def _admit(self, sequence: Sequence) -> Admit:
        self._lifecycle.admit(sequence)
        self._tickets += 1
        sequence.ticket = self._tickets
        adapters = adapters_address(sequence.request.submit.adapters)
        return Admit(sequence.id, sequence.tokens(), sequence.ticket, sequence.request.reuses_pages, adapters)

    def _below_max_sequences(self) -> bool:
        return len(self._lifecycle.running) < self._limits.max_sequences

    def _has_room(self, sequence: Sequence) -> bool:
        """Tells whether every cache group has the pages that the KV manager promises for the sequence and for those
        that it has yet to answer for, if it has none of them cached."""
        running = self._lifecycle.running
        asked = [other for other in running if other.status is Status.ADMITTING]
        return not running or all(
            sum(group.promised(each.length) for each in (*asked, sequence)) <= room
            for group, room in zip(self._groups, self._room, strict=True)
        )

    def _make_room(self, waits: Sequence) -> None:
        """Preempts a sequence of a client that has more than its share of what ``waits`` lacks. One at a time: its
        pages come back with the next step."""
        if self._lifecycle.releases or waits.in_flight:
            return
        if victim := choose_unfair(waits, self._lifecycle.running):
            self._lifecycle.preempt(victim)


def admission_order(queue: list[Sequence], running: list[Sequence]) -> Iterator[Sequence]:
    """Who of ``queue``, which is in order of arrival, is let in next, and who after that: always the first of a client
    that has the fewest running."""
    waiting: dict[str | None, deque[Sequence]] = {}
    for sequence in queue:
        waiting.setdefault(sequence.client, deque()).append(sequence)
    if len(waiting) == 1:
        yield from queue
        return
    counts = Counter(sequence.client for sequence in running)
    while waiting:
        client = min(waiting, key=lambda each: (counts[each], waiting[each][0].request.order, waiting[each][0].id))
        yield waiting[client].popleft()
        counts[client] += 1
        if not waiting[client]:
            del waiting[client]

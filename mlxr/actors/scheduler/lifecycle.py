"""The life of requests and their sequences: where each stands, from its submission to its end."""

from __future__ import annotations

from bisect import insort

from mlxr.actors.scheduler.outcome import Counters
from mlxr.actors.scheduler.row_drafts import RowDrafts
from mlxr.actors.scheduler.sequences import Request, Sequence, Status
from mlxr.actors.scheduler.submission import open_request
from mlxr.runtime.messages.kv import Fork, Release
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone


class Lifecycle:
    """Owns every request and sequence, and what the KV manager is still to be told of them. No one else changes a
    sequence's status or moves it between the queue and the running ones. Both lists are in order of arrival, and for
    others to read only.

    Attributes:
        waiting: the queue.
        running: the sequences that count against ``max_sequences``, those being admitted among them.
    """

    def __init__(self, counters: Counters, drafts: RowDrafts | None = None) -> None:
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self._counters = counters
        self._drafts = drafts or RowDrafts(None)
        self._requests: dict[int, Request] = {}
        self._sequences: dict[int, Sequence] = {}
        self._releases: list[Release] = []
        self._forks: list[Sequence] = []
        self._arrivals = 0
        self._released_with = 0

    def request(self, id: int) -> Request | None:
        return self._requests.get(id)

    def requests(self) -> list[Request]:
        return list(self._requests.values())

    def sequence(self, id: int) -> Sequence | None:
        """Returns the sequence with this id, unless it has ended."""
        return self._sequences.get(id)

    # Requests.

    def open(self, submit: Submit) -> Request:
        """Queues a request."""
        self._arrivals += 1
        request = open_request(submit, self._arrivals)
        self._sequences |= {sequence.id: sequence for sequence in request.sequences}
        self._requests[submit.request] = request
        self._enqueue(request.sequences[0])
        self._counters.prompt_tokens += len(submit.tokens)
        return request

    def close(self, request: Request, now: float) -> RequestDone | None:
        """Forgets the request if all its sequences have ended."""
        if not request.done:
            return None
        self.forget(request)
        return RequestDone(request.submit.request, request.usage(now))

    def drop(self, request: Request) -> None:
        """Ends what is left of a request that nobody waits for any more, or that has failed."""
        for sequence in [s for s in request.sequences if s.status is Status.FORKING]:
            self._finish(sequence)
        for sequence in list(request.sequences):
            self.end(sequence)
        self.forget(request)

    def forget(self, request: Request) -> None:
        self._requests.pop(request.submit.request, None)

    # Sequences.

    def admit(self, sequence: Sequence) -> None:
        """Moves a waiting sequence among the running; the KV manager is still to answer."""
        self.waiting.remove(sequence)
        sequence.status = Status.ADMITTING
        self._insert_running(sequence)

    def start(self, sequence: Sequence, cached: int) -> None:
        """The KV manager holds the first ``cached`` tokens of an admitted sequence, which runs from now on."""
        sequence.status = Status.RUNNING
        sequence.computed = cached

    def fork(self, leader: Sequence) -> list[Sequence]:
        """Lets the choices that were waiting for ``leader`` to compute the prompt run; returns them."""
        followers = [s for s in leader.request.sequences if s.status is Status.FORKING]
        for follower in followers:
            follower.status = Status.RUNNING
            follower.computed = leader.prompt_length
            follower.registered = True
            self._insert_running(follower)
            self._forks.append(follower)
        return followers

    def unfork(self, follower: Sequence) -> None:
        """The row that was to complete the prompt did not run: the choice waits for it again."""
        self._displace(follower)
        follower.status = Status.FORKING

    def preempt(self, victim: Sequence) -> None:
        """Takes the sequence's pages and puts it back into the queue."""
        self._releases.append(Release(victim.id, victim.tokens(0, victim.computed)))
        self.requeue(victim)
        self._counters.preemptions += 1

    def requeue(self, sequence: Sequence) -> None:
        """Puts a sequence that holds nothing back into the queue, to be computed from the start; samples in flight
        still count."""
        self._displace(sequence)
        sequence.status = Status.QUEUED
        self._enqueue(sequence)

    def end(self, sequence: Sequence, *, keep: bool = True) -> None:
        """Ends a sequence and gives its pages back; with ``keep`` they stay in the prefix cache for the same text."""
        if sequence.status is Status.DONE:
            return
        if sequence in self.running:
            known = min(sequence.computed, sequence.length)
            kept = sequence.tokens(0, known) if keep else TokenIds()
            self._releases.append(Release(sequence.id, kept, turn_ended=sequence.generated > 0))
        self._remove(sequence)
        self._finish(sequence)
        self._promote(sequence.request)

    def rewind(self) -> None:
        """All pages are gone: queues every live sequence again, in order of arrival."""
        self._releases.clear()
        self._forks.clear()
        self.running.clear()
        live = list(self._sequences.values())
        for sequence in live:
            # Choices that have nothing of their own yet wait for the first one to compute the prompt, as at the start.
            # Its own sample may have been lost with its pages where theirs were not.
            leader = sequence.request.sequences[0]
            waits = sequence is not leader and leader.status is not Status.DONE
            waits = waits and not (leader.generated or sequence.generated)
            sequence.rewind()
            sequence.status = Status.FORKING if waits else Status.QUEUED
        self.waiting = sorted((s for s in live if s.status is Status.QUEUED), key=_arrival)

    # What the KV manager is to be told with the next step.

    @property
    def releases(self) -> bool:
        """Whether pages are to be given back."""
        return bool(self._releases)

    @property
    def forks(self) -> bool:
        """Whether choices are to share their prompt's pages."""
        return bool(self._forks)

    def releases_of(self, sequence: Sequence) -> bool:
        """Tells whether pages of ``sequence`` are to be given back."""
        return any(release.sequence == sequence.id for release in self._releases)

    def released_since(self, step: int) -> bool:
        """Tells whether pages are on their way back that were not yet there when ``step`` was given its pages."""
        return bool(self._releases) or self._released_with > step

    def take_releases(self, step: int) -> list[Release]:
        """Returns what goes with ``step``."""
        releases, self._releases = self._releases, []
        if releases:
            self._released_with = step
        return releases

    def take_forks(self) -> list[Fork]:
        forks, self._forks = self._forks, []
        return [Fork(child.request.sequences[0].id, child.id, child.prompt_length) for child in forks]

    # The lists.

    def _enqueue(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)
        self.waiting.sort(key=_arrival)

    def _insert_running(self, sequence: Sequence) -> None:
        insort(self.running, sequence, key=_arrival)

    def _displace(self, sequence: Sequence) -> None:
        """Takes the sequence out of every list; it holds no pages any more."""
        self._remove(sequence)
        sequence.computed = sequence.behind = 0
        sequence.registered = False

    def _remove(self, sequence: Sequence) -> None:
        for holders in (self.waiting, self.running, self._forks):
            if sequence in holders:
                holders.remove(sequence)

    def _finish(self, sequence: Sequence) -> None:
        sequence.status = Status.DONE
        if sequence.speculates:
            self._drafts.closed(sequence)
        del self._sequences[sequence.id]

    def _promote(self, request: Request) -> None:
        """If the choice that was to compute the prompt has ended before it did, the next one takes its place."""
        waiting = [s for s in request.sequences if s.status is Status.FORKING]
        leader = request.sequences[0]
        if waiting and leader.status is Status.DONE:
            request.sequences.remove(leader)
            request.sequences.remove(waiting[0])
            request.sequences.insert(0, waiting[0])
            waiting[0].status = Status.QUEUED
            self._enqueue(waiting[0])


def _arrival(sequence: Sequence) -> tuple[tuple[int, int], int]:
    return sequence.request.order, sequence.id

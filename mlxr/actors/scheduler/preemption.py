"""Who is preempted: pure functions of the running and waiting sequences."""

from __future__ import annotations

from collections import Counter

from mlxr.actors.scheduler.sequences import Sequence, Status


def page_holders(running: list[Sequence]) -> list[Sequence]:
    """Returns those of ``running`` that hold pages. To preempt any other would free nothing: it would be planned again
    at once."""
    return [s for s in running if s.status is Status.RUNNING and not s.pageless]


def choose_unfair(waits: Sequence, running: list[Sequence]) -> Sequence | None:
    """Returns the sequence to preempt so that ``waits`` gets in: the last to have arrived of the client with most
    places. None where that client has at most one place more than the client of ``waits``."""
    counts = Counter(sequence.client for sequence in running)
    client, most = max(counts.items(), key=lambda each: each[1], default=("", 0))
    if most <= counts[waits.client] + 1:
        return None
    holders = [s for s in page_holders(running) if s.client == client]
    return max(holders, key=lambda s: (s.request.order, s.id), default=None)


def choose_victim(holders: list[Sequence]) -> Sequence | None:
    """Returns the sequence to preempt when pages run out: the last to have arrived, None where there is only one."""
    return max(holders, key=lambda s: (s.request.order, s.id)) if len(holders) > 1 else None

"""Who runs next, who is let in and who is preempted: pure functions of the running and waiting sequences.

``schedule`` chooses the rows of one step, ``admission_order`` who is let in, ``choose_victim`` and ``choose_unfair``
who is preempted.

Decode rows come first, one token each, so that streams never wait for prompts. What is left of the token budget goes
to prompts, first come first served, in chunks: while anything decodes, a step holds at most one ``prefill_chunk`` of
prompt tokens, which bounds how long a running stream waits behind a long prompt.

Clients share what there is: ``max_sequences``, and the tokens of a step that go to prompts. A client that
is alone gets everything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from msgspec import Struct

from mlxr.actors.scheduler.sequences import Sequence, Status
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.scheduler import Task


class Chunk(Struct, frozen=True):
    """The next ``length`` tokens of ``sequence``."""

    sequence: Sequence
    length: int


SHORT_STEP_SECONDS = 0.01
"""Below it a step's planning, which the device's thread must otherwise wait for, is felt in every token."""


def steps_in_flight(step_seconds: float) -> int:
    """Returns how many steps may be under way, by how long the last one took on the device.

    With two, the plan for the next step waits at the executor while one runs. With three, the executor also has a plan
    to launch at the moment a step ends, beside the tokens' way out instead of behind it: worth an eighth of the speed
    of a small model on two cores. It costs whoever joins the batch one step more, and so is kept to short ones.
    """
    return 3 if step_seconds < SHORT_STEP_SECONDS else 2


SCORED_COST = 8
"""Tokens of a prompt that take as long as one whose log-probability is wanted, which has the whole vocabulary computed
and sorted: 1 ms of a processor for 49,000 tokens, 6 ms for 262,000. Streams would wait for a chunk of those for most of
a second."""


def schedule(running: list[Sequence], limits: Limits, grid: int | None = None) -> list[Chunk]:
    """Returns the rows of the next step. ``running`` is in order of arrival. ``grid``: no row of a prompt goes beyond a
    multiple of it; None for no such bounds."""
    decodes: list[Chunk] = []
    prompts: list[Sequence] = []
    for sequence in running:
        if not sequence.decoding:
            prompts.append(sequence)
        elif sequence.may_sample:
            decodes.append(Chunk(sequence, 1))
    budget = limits.token_budget - len(decodes)
    if decodes:
        budget = min(budget, limits.prefill_chunk)
    return decodes + _prompt_chunks(prompts, budget, limits, grid, SCORED_COST if decodes else 1)


def _prompt_chunks(
    prompts: list[Sequence], budget: int, limits: Limits, grid: int | None, scored_cost: int
) -> list[Chunk]:
    """Returns what a step computes of prompts, ``budget`` tokens in all. ``scored_cost``: how many of them one is whose
    log-probability is wanted."""
    chunks: list[Chunk] = []
    waiting, sharing = _by_turns([s for s in prompts if s.remaining > 0 and not s.in_flight])
    for place, sequence in enumerate(waiting):
        length = sequence.remaining
        if grid is not None:
            length = min(length, grid - sequence.computed % grid)
        whole = limits.whole_prompts and sequence.request.submit.task is Task.EMBED
        if budget <= 0 or (whole and length > budget and chunks):
            break
        share = max(1, budget // (sharing - place)) if place < sharing else budget
        cost = scored_cost if sequence.request.submit.prompt_logprobs is not None else 1
        chunks.append(Chunk(sequence, length if whole else min(length, max(1, share // cost))))
        budget -= cost * chunks[-1].length
    return chunks


def _by_turns(prompts: list[Sequence]) -> tuple[list[Sequence], int]:
    """Returns ``prompts`` with each client's first ahead of all others' second, and how many firsts there are. The
    shortest come first among those, so that what they leave of their share goes to the longer ones."""
    seen: Counter[str | None] = Counter()
    ranked: list[tuple[int, Sequence]] = []
    for sequence in prompts:
        ranked.append((seen[sequence.client], sequence))
        seen[sequence.client] += 1
    if len(seen) > 1:
        ranked.sort(key=lambda each: (each[0], each[1].remaining if each[0] == 0 else 0))
    return [sequence for _, sequence in ranked], len(seen)


def admission_order(queue: list[Sequence], running: list[Sequence]) -> Iterator[Sequence]:
    """Who of ``queue``, which is in order of arrival, is let in next, and who after that: always the first of a client
    that has the fewest running."""
    waiting: dict[str | None, deque[Sequence]] = {}
    for sequence in queue:
        waiting.setdefault(sequence.client, deque()).append(sequence)
    counts = Counter(sequence.client for sequence in running)
    while waiting:
        client = min(waiting, key=lambda each: (counts[each], waiting[each][0].request.order, waiting[each][0].id))
        yield waiting[client].popleft()
        counts[client] += 1
        if not waiting[client]:
            del waiting[client]


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

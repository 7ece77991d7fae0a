"""Drafters for tests, which know what the simulated model will say and may lie about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import RowDraft, Speculation, StepCost
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.runtime.messages.scheduler import DrafterInfo, Verified
from tests.actors.simulated_device import STOP_TOKEN, VOCABULARY, beginning, digest, next_token

Choose = Callable[[int], int]
"""Returns a number from 0 up to one below its argument."""


def foreseen(sequence: Sequence, most: int) -> list[int]:
    """What the simulated model says next, also behind a stop."""
    tokens = sequence.tokens().list()
    begin = beginning(sequence.request.submit.adapters)
    for _ in range(most):
        tokens.append(next_token(digest(tokens, begin), len(tokens), sequence.sampling.seed))
    return tokens[sequence.length :]


def right(sequence: Sequence, most: int, choose: Choose) -> list[int]:
    return foreseen(sequence, most)


def wrong(sequence: Sequence, most: int, choose: Choose) -> list[int]:
    return [(token + 1) % VOCABULARY for token in foreseen(sequence, most)]


def random(sequence: Sequence, most: int, choose: Choose) -> list[int]:
    """Right up to somewhere, and wrong behind that; or none at all."""
    until = choose(most + 2)
    draft = foreseen(sequence, most)
    return draft[:until] + [(token + 1 + choose(90)) % VOCABULARY for token in draft[until:]] if choose(4) else []


def too_long(sequence: Sequence, most: int, choose: Choose) -> list[int]:
    return foreseen(sequence, most + 9)


def stopping(sequence: Sequence, most: int, choose: Choose) -> list[int]:
    """Right, but for a stop somewhere within."""
    draft = foreseen(sequence, most)
    at = choose(most)
    return [*draft[:at], STOP_TOKEN, *draft[at + 1 :]]


KINDS = {"right": right, "wrong": wrong, "random": random, "too long": too_long, "stopping": stopping}


@dataclass
class LyingDrafter:
    """Makes drafts of one kind, and checks what it is told meanwhile."""

    kind: Callable[[Sequence, int, Choose], list[int]]
    choose: Choose
    known: dict[int, list[int]] = field(default_factory=dict)
    closed_ids: set[int] = field(default_factory=set)

    def opened(self, sequence: Sequence) -> None:
        assert sequence.id not in self.known
        assert sequence.request.submit.speculate, "it was told not to"
        self.known[sequence.id] = sequence.tokens().list()

    def accepted(self, sequence: Sequence, tokens: list[int]) -> None:
        self.known[sequence.id] += tokens

    def forced(self, sequence: Sequence, tokens: list[int]) -> None:
        assert tokens

    def closed(self, sequence: Sequence) -> None:
        del self.known[sequence.id]
        self.closed_ids.add(sequence.id)

    def hopeful(self, sequences: list[Sequence]) -> list[Sequence]:
        return sequences

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        assert sequence.id not in self.closed_ids
        assert self.known[sequence.id] == sequence.tokens().list(), "it was not told of all tokens"
        return self.kind(sequence, most, self.choose)


@dataclass
class WholeDrafts:
    """Verifies all of every draft, or by chance less; keeps what it is told."""

    random: Choose | None = None
    costs: list[StepCost] = field(default_factory=list)
    results: list[tuple[int, int, int]] = field(default_factory=list)

    def choose(self, drafts: list[tuple[Sequence, list[int]]], decode_rows: int) -> list[int]:
        assert len(drafts) <= decode_rows
        return [len(draft) if self.random is None else self.random(len(draft) + 2) for _, draft in drafts]

    def observed(self, cost: StepCost) -> None:
        self.costs.append(cost)

    def verified(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        assert 0 <= accepted <= drafted
        self.results.append((sequence.id, drafted, accepted))


class NoDrafts:
    """A drafter without drafts."""

    def opened(self, sequence: Sequence) -> None: ...

    def accepted(self, sequence: Sequence, tokens: list[int]) -> None: ...

    def forced(self, sequence: Sequence, tokens: list[int]) -> None: ...

    def closed(self, sequence: Sequence) -> None: ...

    def hopeful(self, sequences: list[Sequence]) -> list[Sequence]:
        return sequences

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        return []


@dataclass
class AnyDeviceDrafts:
    """Wants a draft of any length of any row, in place of whatever draft that has; keeps what it is told."""

    random: Choose
    on: bool = False
    results: list[tuple[int, Verified]] = field(default_factory=list)
    known: set[int] = field(default_factory=set)

    def parts(self, sequence: Sequence, count: int) -> list[Part]:
        return [Part(Origin(DraftKind.DRAFT_MODEL), count)]

    def opened(self, info: DrafterInfo | None) -> None:
        self.on = info is not None

    def choose(self, rows: list[tuple[Sequence, int]], decode_rows: int, *, others: bool) -> dict[int, RowDraft]:
        assert 0 < len(rows) <= decode_rows
        self.known |= {sequence.id for sequence, _ in rows}
        wanted = {sequence.id: self.random(min(most, 9) + 1) for sequence, most in rows}
        return {id: RowDraft([], count) for id, count in wanted.items() if count}

    def observed(self, cost: StepCost) -> None: ...

    def verified(self, sequence: Sequence, wanted: int, result: Verified) -> None:
        assert 0 <= result.accepted <= result.drafted <= wanted
        self.results.append((wanted, result))

    def closed(self, sequence: Sequence) -> None:
        self.known.discard(sequence.id)


def made(choose: Choose) -> Callable[[list[int]], tuple[list[int], int]]:
    """A device's drafter: what it makes is right up to somewhere, and ends somewhere; or it has yet to read."""

    def make(right: list[int]) -> tuple[list[int], int]:
        if not choose(5):
            return [], choose(40) - 1
        until = choose(len(right) + 1)
        tokens = right[:until] + [(token + 1 + choose(90)) % VOCABULARY for token in right[until:]]
        return tokens[: choose(len(right) + 1)], 0

    return make


def speculation(kind: str, choose: Choose = lambda n: n // 2) -> tuple[Speculation, WholeDrafts]:
    """A drafter of ``kind`` for an engine, and what hears of its results."""
    depths = WholeDrafts()
    return Speculation(LyingDrafter(KINDS[kind], choose), depths), depths

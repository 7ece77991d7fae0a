"""Row drafts: which rows of the next step end with a draft, and when a step has to wait for that."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import Speculation, StepCost

LONGEST_DRAFT = 48
"""Tokens of one draft."""

MOST_SAMPLED = 64
"""Positions that a step with drafts samples, as many as a full batch has: the logits of each take a megabyte with a
large vocabulary."""


@dataclass(slots=True)
class Foretold:
    """What a draft said of tokens in flight.

    Attributes:
        right: how many of them have come and were right.
    """

    tokens: list[int]
    right: int = 0


class RowDrafts:
    """Owns which sequences the drafter knows, and what it has foretold of tokens in flight.

    A draft is verified behind a sequence's last known token, so that nothing of it may be in flight. Where a draft is
    worth it, planning waits for the steps in flight. What the drafter has foretold of these tells at once how good it
    is, so that ``DepthPolicy`` hears of waiting in vain as it hears of drafts that were wrong.

    Attributes:
        on: there is anything to do. Otherwise nothing here need be called.
    """

    def __init__(self, speculation: Speculation | None) -> None:
        self.on = speculation is not None
        self._speculation = speculation
        self._foretold: dict[int, Foretold] = {}

    def of(self, decoding: list[Sequence], token_budget: int) -> dict[int, list[int]]:
        """Returns the drafts that are worth verifying in a step of ``decoding`` sequences, by their ids.
        ``token_budget``: tokens that the step may have in all."""
        if self._speculation is None:
            return {}
        drafts = [(sequence, draft) for sequence in decoding if (draft := self._proposed(sequence))]
        if not drafts:
            return {}
        depths = self._speculation.depths.choose(drafts, len(decoding))
        room = token_budget - sum(1 + sequence.behind for sequence in decoding)
        room = min(room, MOST_SAMPLED - len(decoding))
        chosen: dict[int, list[int]] = {}
        for (sequence, draft), depth in zip(drafts, depths, strict=True):
            length = min(depth, len(draft), room)
            if length > 0:
                chosen[sequence.id] = draft[:length]
                room -= length
        return chosen

    def accepted(self, sequence: Sequence, token: int) -> None:
        """The sequence, which speculates, has got a token."""
        assert self._speculation is not None
        if foretold := self._foretold.get(sequence.id):
            self._compare(sequence, foretold, token)
        self._speculation.drafter.accepted(sequence, [token])

    def forced(self, sequence: Sequence, tokens: list[int]) -> None:
        """Nothing but ``tokens`` can follow the sequence's."""
        assert self._speculation is not None
        self._open(sequence)
        self._speculation.drafter.forced(sequence, tokens)

    def verified(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        assert self._speculation is not None
        self._speculation.depths.verified(sequence, drafted, accepted)

    def observed(self, cost: StepCost) -> None:
        assert self._speculation is not None
        self._speculation.depths.observed(cost)

    def closed(self, sequence: Sequence) -> None:
        """The sequence, which speculates, has ended."""
        assert self._speculation is not None
        self._foretold.pop(sequence.id, None)
        self._speculation.drafter.closed(sequence)
        sequence.speculates = False

    def _proposed(self, sequence: Sequence) -> list[int]:
        """Returns the draft behind all tokens that are known or in flight, [] where there is none."""
        assert self._speculation is not None
        flying = sequence.in_flight
        most = min(LONGEST_DRAFT, sequence.max_length - sequence.planned - 1)
        if most <= 0 or not sequence.request.submit.speculate:
            return []
        self._open(sequence)
        draft = self._speculation.drafter.propose(sequence, most + flying)
        if flying and len(draft) > flying and sequence.id not in self._foretold:
            self._foretold[sequence.id] = Foretold(draft[:flying])
        return draft[flying : flying + most]

    def _open(self, sequence: Sequence) -> None:
        if not sequence.speculates:
            assert self._speculation is not None
            sequence.speculates = True
            self._speculation.drafter.opened(sequence)

    def _compare(self, sequence: Sequence, foretold: Foretold, token: int) -> None:
        right = foretold.tokens[foretold.right] == token
        foretold.right += right
        if not right or foretold.right == len(foretold.tokens):
            del self._foretold[sequence.id]
            self.verified(sequence, len(foretold.tokens), foretold.right)

"""Row drafts: which rows of the next step end with a draft, and when a step has to wait for that."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import DeviceDraftPolicy, RowDraft, Speculation, StepCost
from mlxr.runtime.messages.scheduler import DrafterInfo, Verified

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

    def of(self, runnable: list[Sequence], token_budget: int) -> dict[int, RowDraft]:
        """Returns the drafts that are worth verifying in a step of the ``runnable`` sequences, by their ids.
        ``token_budget``: tokens that the step may have in all."""
        speculation = self._speculation
        if speculation is None:
            return {}
        for sequence in runnable:
            if not sequence.speculates and sequence.request.submit.speculate and sequence.decoding:
                self._open(sequence)
        hopeful = speculation.drafter.hopeful([sequence for sequence in runnable if sequence.speculates])
        if not hopeful and (speculation.device is None or not speculation.device.on):
            return {}  # As it mostly is where nothing repeats.
        decoding = [sequence for sequence in runnable if sequence.decoding and sequence.may_sample]
        drafts = [(sequence, draft) for sequence in hopeful if (draft := self._proposed(sequence))]
        chosen: dict[int, RowDraft] = {}
        if drafts:
            depths = speculation.depths.choose(drafts, len(decoding))
            pairs = zip(drafts, depths, strict=True)
            chosen = {sequence.id: RowDraft(draft[:depth]) for (sequence, draft), depth in pairs if depth > 0}
        if speculation.device is not None and speculation.device.on and decoding:
            chosen |= self._made(speculation.device, decoding, bool(drafts))
        if not chosen:
            return chosen
        room = token_budget - sum(1 + sequence.behind for sequence in decoding)
        return _within(chosen, min(room, MOST_SAMPLED - len(decoding)))

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

    def verified(self, sequence: Sequence, result: Verified, wanted: int) -> None:
        """A draft was right so far. ``wanted``: how many tokens of it the executor was to make itself."""
        assert self._speculation is not None
        if wanted and self._speculation.device is not None:
            self._speculation.device.verified(sequence, wanted, result)
        elif result.drafted:
            self._speculation.depths.verified(sequence, result.drafted, result.accepted)

    def kinds(self, sequence: Sequence, result: Verified, wanted: int) -> list[tuple[str, int, int]]:
        """Returns of which kinds a draft was that has been verified: of each how many tokens, and how many right."""
        speculation, found = self._speculation, list[tuple[str, int, int]]()
        assert speculation is not None
        if not result.drafted or speculation.parts is None:
            return found
        parts = speculation.parts(sequence)
        if wanted and speculation.device is not None:
            parts = speculation.device.parts(sequence, result.drafted)
        left, right = result.drafted, result.accepted
        for origin, tokens in parts:
            drafted = min(tokens, left)
            accepted = min(drafted, right)
            left, right = left - drafted, right - accepted
            if drafted:
                found.append((origin.kind, drafted, accepted))
        return found

    def observed(self, cost: StepCost) -> None:
        assert self._speculation is not None
        self._speculation.depths.observed(cost)
        if self._speculation.device is not None:
            self._speculation.device.observed(cost)

    def opened(self, info: DrafterInfo | None) -> None:
        """An executor is there. ``info``: what it makes drafts with."""
        if self._speculation is not None and self._speculation.device is not None:
            self._speculation.device.opened(info)

    def closed(self, sequence: Sequence) -> None:
        """The sequence, which speculates, has ended."""
        assert self._speculation is not None
        self._foretold.pop(sequence.id, None)
        self._speculation.drafter.closed(sequence)
        if self._speculation.device is not None:
            self._speculation.device.closed(sequence)
        sequence.speculates = False

    def _proposed(self, sequence: Sequence) -> list[int]:
        """Returns the draft behind all tokens that are known or in flight, [] where there is none."""
        assert self._speculation is not None
        flying = sequence.in_flight
        most = min(LONGEST_DRAFT, sequence.max_length - sequence.planned - 1)
        if most <= 0 or not sequence.decoding:
            return []
        draft = self._speculation.drafter.propose(sequence, most + flying)
        if flying and len(draft) > flying and sequence.id not in self._foretold:
            self._foretold[sequence.id] = Foretold(draft[:flying])
        return draft[flying : flying + most]

    def _made(self, device: DeviceDraftPolicy, decoding: list[Sequence], others: bool) -> dict[int, RowDraft]:
        """Returns the drafts that the executor is to make. ``others``: there are drafts that it need not make."""
        able: list[tuple[Sequence, int]] = []
        for sequence in decoding:
            submit = sequence.request.submit
            most = sequence.max_length - sequence.planned - 1
            if submit.most_drafted is not None:
                most = min(most, submit.most_drafted)
            if submit.speculate and submit.draft_model and most > 0:
                self._open(sequence)
                able.append((sequence, most))
        if not able:
            return {}
        return device.choose(able, len(decoding), others=others)

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
            assert self._speculation is not None
            self._speculation.depths.verified(sequence, len(foretold.tokens), foretold.right)


def _within(drafts: dict[int, RowDraft], room: int) -> dict[int, RowDraft]:
    """Returns as much of ``drafts`` as has ``room``, those that come first ahead."""
    cut: dict[int, RowDraft] = {}
    for id, draft in drafts.items():
        tokens = draft.tokens[: max(0, room)]
        wanted = min(draft.wanted, room - len(tokens))
        if tokens or wanted > 0:
            cut[id] = RowDraft(tokens, max(0, wanted), draft.least)
            room -= len(cut[id])
    return cut

"""Drafts that the executor makes itself, by a draft model or by heads of the model: for which rows, and how long ones.

Making such a draft takes the device's time before anything is verified. So a step with drafts must be expected to give
tokens faster than the same step without, what it takes to make them included; and where much of a sequence is to be
read first, that must have been worth its time by now, had it been read at the start: whoever has said much says more.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import RowDraft, StepCost
from mlxr.actors.scheduler.speculation.depth import LEAST_LIKELY, WORTH, LearnedDepths
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.actors.scheduler.speculation.step_times import MOST_TOKENS, StepTimes
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind, Verified

LONGEST = 15
"""Tokens of one draft."""

GREEDY, SAMPLED = 1, 16
"""The lengths of matches that drafts count as being behind (``Acceptance``). Those of sequences that are sampled are
right far less often: of a class of their own, whose tokens are alike; others are told apart by how far they go."""

READ_AT_ONCE = 128
"""Tokens that a drafter reads before one step, as the executor has it."""

TRIAL_PART = 0.01
"""Part of all time that goes into drafts which are not expected to pay, to see whether they do by now."""

MOST_SAVED = 0.2
"""Seconds of it that may be left over from when nobody wanted a trial: those of a whole day would make steps slow for
minutes."""

TRIAL_DEPTH = 3

KINDS = {DrafterKind.DRAFT_MODEL: DraftKind.DRAFT_MODEL, DrafterKind.MTP: DraftKind.MTP}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may get a draft made.

    Attributes:
        most: tokens of it at most.
        unread: tokens of its sequence that are read for that first.
        survival: how likely each token of the draft and all before it are right.
        text: expected tokens of the draft that it has otherwise; ``text_tokens``: how many these are.
    """

    sequence: Sequence
    most: int
    unread: int
    survival: list[float]
    text: float = 0.0
    text_tokens: int = 0

    def gain(self, depth: int) -> float:
        return sum(self.survival[:depth])


@dataclass(frozen=True, slots=True)
class Weighed:
    """A step with drafts of at most ``depth`` tokens, and how many tokens a second it gives."""

    rate: float
    depth: int


class DeviceDrafts:
    """Owns what is known of the executor's drafter: what its passes take, how much it has read of each sequence, and
    what has been spent on trials.

    Attributes:
        times: what its passes take.
    """

    def __init__(self, depths: LearnedDepths, wanted: frozenset[DrafterKind] = frozenset(DrafterKind)) -> None:
        """``wanted``: kinds of drafters that may be asked."""
        self.times = StepTimes()
        self._wanted = wanted
        self._depths = depths
        self._info: DrafterInfo | None = None
        self._kind = DraftKind.DRAFT_MODEL
        self._read: dict[int, int] = {}
        self._cannot: set[int] = set()
        self._trial_seconds = 0.0
        """What is left for trials, less than 0 where they took more."""

    def opened(self, info: DrafterInfo | None) -> None:
        """An executor is there, which has read nothing."""
        self._info = info if info is not None and info.kind in self._wanted else None
        if self._info is not None:
            self._kind = KINDS[self._info.kind]
        self._read.clear()
        self._cannot.clear()

    @property
    def on(self) -> bool:
        """Whether there is a drafter."""
        return self._info is not None

    def parts(self, sequence: Sequence, count: int) -> list[Part]:
        """Returns what a draft of so many tokens is made of."""
        return [Part(Origin(self._kind, SAMPLED if sequence.sampling.temperature else GREEDY), count)]

    def choose(self, rows: list[tuple[Sequence, int]], decode_rows: int, *, others: bool) -> dict[int, RowDraft]:
        context = max(sequence.length for sequence, _ in rows)
        seconds = self._depths.seconds if others else self._depths.weigh(context, decode_rows)
        if not seconds:
            return {}  # Nothing has run yet.
        self._depths.goes_back = self._depths.goes_back or any(sequence.behind for sequence, _ in rows)
        passes = self._passes(context, seconds)
        candidates = [self._candidate(sequence, most) for sequence, most in rows if sequence.id not in self._cannot]
        near = _readable(candidates)
        entering = any(sequence.in_flight for sequence, _ in rows)
        best = self._best(near, decode_rows, passes, entering)
        chosen: dict[int, RowDraft] = {}
        if best is not None and best.rate > self._depths.chosen.rate:
            least = best.rate * (passes[min(len(near), MOST_TOKENS)] / len(near) + self._rise(decode_rows))
            # A state is kept behind a whole draft alone: one that ends early sends its sequence back.
            least = 0.0 if self._depths.goes_back else min(least, 0.9)
            for each in near:
                depth = min(best.depth, len(each.survival))
                if depth and each.gain(depth) > each.text:
                    chosen[each.sequence.id] = RowDraft([], depth, least)
        elif near:
            chosen |= self._trial(near, decode_rows, passes, entering)
        for each in candidates:
            if not each.text and each not in near and self._worth_reading(each, decode_rows, passes):
                chosen[each.sequence.id] = RowDraft([], 1)
                break
        return chosen

    def verified(self, sequence: Sequence, wanted: int, result: Verified) -> None:
        if result.unread < 0:
            self._cannot.add(sequence.id)
            return
        self._read[sequence.id] = sequence.length - result.unread
        if not result.unread:
            # What it does not make, since it is not sure, counts as wrong: nothing has come of it.
            self._depths.acceptance.add(sequence.id, self.parts(sequence, wanted), wanted, result.accepted)

    def observed(self, cost: StepCost) -> None:
        seconds = cost.device_seconds + cost.wait_seconds + sum(taken for _, taken in cost.passes)
        self._trial_seconds = min(MOST_SAVED, self._trial_seconds + TRIAL_PART * seconds)
        for tokens, taken in cost.passes:
            self.times.observed(tokens, taken)

    def closed(self, sequence: Sequence) -> None:
        self._read.pop(sequence.id, None)
        self._cannot.discard(sequence.id)

    def _candidate(self, sequence: Sequence, most: int) -> Candidate:
        acceptance, parts = self._depths.acceptance, self.parts(sequence, min(most, LONGEST))
        survival = acceptance.survival(sequence.id, parts, LEAST_LIKELY)
        text, text_tokens = self._depths.chosen.gains.get(sequence.id, (0.0, 0))
        unread = max(1, sequence.length - self._read.get(sequence.id, 0))
        if self._info is not None and not self._info.reads:
            unread = min(unread, READ_AT_ONCE)
        return Candidate(sequence, most, unread, survival, text, text_tokens)

    def _passes(self, context: int, seconds: list[float]) -> list[float]:
        """Returns what a pass of 0 to ``MOST_TOKENS`` tokens takes; by the drafter's size where none has run yet."""
        assert self._info is not None
        known = self.times.at(context)
        return known or [each * self._info.cost for each in seconds]

    def _best(self, near: list[Candidate], rows: int, passes: list[float], entering: bool) -> Weighed | None:
        """Returns the fastest step with drafts made for rows that are ``near``; None where none is worth making."""
        able = [each for each in near if sum(each.survival) > each.text]
        if not able:
            return None
        chosen, seconds = self._depths.chosen, self._depths.seconds
        given = rows + chosen.gain - sum(each.text for each in able)
        tokens = rows + chosen.tokens - sum(each.text_tokens for each in able)
        making, slow = passes[min(sum(each.unread for each in able), MOST_TOKENS)], self._slow
        wait, best, going = self._depths.wait(entering), Weighed(0.0, 0), able
        for depth in range(1, LONGEST + 1):
            going = [each for each in going if len(each.survival) >= depth]
            if not going:
                break
            given += sum(each.survival[depth - 1] for each in going)
            tokens += len(going)
            making += passes[min(len(going), MOST_TOKENS)] if depth > 1 else 0.0
            takes = seconds[min(tokens, MOST_TOKENS)] + wait + self._depths.again(given - rows, rows) + making * slow
            if given / takes > best.rate:
                best = Weighed(given / takes, depth)
        return best

    @property
    def _slow(self) -> float:
        """How much slower than usual the drafter is now, beside how much slower the model is."""
        return self.times.level / self._depths.times.level

    def _trial(self, near: list[Candidate], rows: int, passes: list[float], entering: bool) -> dict[int, RowDraft]:
        """Returns a draft for one row which is not expected to pay, where there is time to see whether it does."""
        if self._trial_seconds < 0:
            return {}
        able = [each for each in near if not each.text]
        if not able:
            return {}
        each = min(able, key=lambda each: each.unread)
        depth = min(TRIAL_DEPTH, each.most)
        if not entering:
            seconds = self._depths.seconds
            making = passes[min(each.unread, MOST_TOKENS)] + (depth - 1) * passes[1]
            wider = seconds[min(rows + depth, MOST_TOKENS)] - seconds[min(rows, MOST_TOKENS)]
            self._trial_seconds -= making + wider + self._depths.wait(entering=True)
        return {each.sequence.id: RowDraft([], depth)}

    def _rise(self, rows: int) -> float:
        """What one more token adds to a step, about."""
        seconds = self._depths.seconds
        return max(0.0, seconds[min(rows + 1, MOST_TOKENS)] - seconds[min(rows, MOST_TOKENS)])

    def _worth_reading(self, each: Candidate, rows: int, passes: list[float]) -> bool:
        """Whether reading a sequence from its beginning would have paid by now."""
        ready = Candidate(each.sequence, each.most, 1, each.survival)
        best = self._best([ready], rows, passes, entering=False)
        plain = self._depths.plain_rate(rows)
        if best is None or best.rate <= WORTH * plain:
            return False
        gain = ready.gain(best.depth)
        saved = (rows + gain) * (1 / plain - 1 / best.rate) / (1 + gain)
        said = each.sequence.length - max(self._read.get(each.sequence.id, 0), each.sequence.prompt_length)
        return saved * said >= each.unread / READ_AT_ONCE * passes[READ_AT_ONCE]


def _readable(candidates: list[Candidate]) -> list[Candidate]:
    """Returns those who can have drafts in one step: as many as can be read before it, those with the least to read
    first."""
    readable: list[Candidate] = []
    budget = READ_AT_ONCE
    for each in sorted(candidates, key=lambda each: each.unread):
        budget -= each.unread
        if budget < 0:
            break
        readable.append(each)
    return readable

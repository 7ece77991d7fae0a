"""Depth: how much of each draft a step verifies, so that tokens come fastest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import StepCost
from mlxr.actors.scheduler.speculation.acceptance import Acceptance
from mlxr.actors.scheduler.speculation.origins import Part
from mlxr.actors.scheduler.speculation.step_times import MOST_TOKENS, StepTimes

WORTH = 1.05
"""How much faster tokens must be expected to come with drafts than without: what is learned is never quite right."""

LEAST_LIKELY = 0.05
"""No token is verified that is less likely to count."""

ENTRY = 2.0
"""Waits of the device that a step with drafts costs which begins a run of them: before it, and behind the last."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is expected of a step as it was chosen last.

    Attributes:
        rate: tokens a second; without drafts ``WORTH`` times as many, which drafts must come up to.
        gain: tokens that its drafts give.
        tokens: how many tokens of drafts it has.
        gains: of both, what belongs to each sequence, by its id.
    """

    rate: float = 0.0
    gain: float = 0.0
    tokens: int = 0
    gains: dict[int, tuple[float, int]] = field(default_factory=dict)


class LearnedDepths:
    """Owns what was learned of acceptance and of steps' times.

    Attributes:
        seconds: what the step that is being chosen takes by its tokens; empty where nothing is known.
        chosen: what was chosen last.
        goes_back: the model has states: what is accepted of a draft that was wrong in part is computed once more.

    The tokens that a step is expected to give, over the time that it is expected to take, is what is made as large as
    can be: over all rows of the step at once, likelier tokens first.
    """

    def __init__(self, parts: Callable[[Sequence], list[Part]], times: StepTimes | None = None) -> None:
        """``parts``: what a sequence's latest draft is made of."""
        self.times = times or StepTimes()
        self.acceptance = Acceptance()
        self._parts = parts
        self._drafted: dict[int, list[Part]] = {}
        self.goes_back = False
        self.seconds: list[float] = []
        self.chosen = Chosen()
        self._seconds: list[float] = []
        self._cheapest: dict[int, float] = {}
        """By rows, the least time that a further token adds to such a step, in that of a token without drafts."""

    def choose(self, drafts: list[tuple[Sequence, list[int]]], decode_rows: int) -> list[int]:
        seconds = self.weigh(max(sequence.length for sequence, _ in drafts), decode_rows)
        depths = [0] * len(drafts)
        if not seconds:
            return depths  # Nothing has run yet.
        least = max(LEAST_LIKELY, self._least(seconds, decode_rows))
        entering = False
        likely: list[tuple[float, int]] = []
        for index, (sequence, draft) in enumerate(drafts):
            parts, flying = self._parts(sequence), sequence.in_flight
            self._drafted[sequence.id] = parts
            entering = entering or flying > 0
            self.goes_back = self.goes_back or sequence.behind > 0
            survival = self.acceptance.survival(sequence.id, parts, least)
            likely += [(each, index) for each in survival[flying : flying + len(draft)]]
        likely.sort(key=itemgetter(0), reverse=True)
        best, rate = _best(
            likely, decode_rows, seconds, self.wait(entering), self.times.waits[False] / self._level, self.goes_back
        )
        gains: dict[int, tuple[float, int]] = {}
        for chance, index in best:
            depths[index] += 1
            id = drafts[index][0].id
            gain, tokens = gains.get(id, (0.0, 0))
            gains[id] = gain + chance, tokens + 1
        self.chosen = Chosen(rate, sum(chance for chance, _ in best), len(best), gains)
        return depths

    def weigh(self, context: int, decode_rows: int) -> list[float]:
        """Begins to choose for a step without drafts so far; returns the seconds that it takes by its tokens."""
        self.seconds = self.times.at(context)
        self.chosen = Chosen(WORTH * self.plain_rate(decode_rows) if self.seconds else 0.0)
        return self.seconds

    def plain_rate(self, rows: int) -> float:
        """Returns tokens a second of steps without drafts."""
        return rows / (self.seconds[min(rows, MOST_TOKENS)] + self.times.waits[False] / self._level)

    def again(self, gained: float, rows: int) -> float:
        """Returns the seconds of computing once more what is accepted of a draft that was wrong in part."""
        if not self.goes_back:
            return 0.0
        behind = min(MOST_TOKENS, rows + math.ceil(gained) + 1)
        return self.seconds[behind] - self.seconds[min(rows, MOST_TOKENS)]

    def observed(self, cost: StepCost) -> None:
        if cost.prompt_tokens:
            return
        if cost.drafted or cost.follows:
            # What the first one behind drafts waits is theirs, and counted as such (``ENTRY``).
            self.times.waited(cost.drafted > 0, cost.wait_seconds)
        if cost.tokens:
            self.times.observed(cost.tokens, cost.device_seconds)

    def verified(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        if parts := self._drafted.get(sequence.id):
            self.acceptance.add(sequence.id, parts, drafted, accepted)

    def closed(self, sequence: Sequence) -> None:
        """The sequence has ended."""
        self._drafted.pop(sequence.id, None)
        self.acceptance.forget(sequence.id)

    def _least(self, seconds: list[float], rows: int) -> float:
        """How likely a token must be to be worth its time at the least, were all others free."""
        if seconds is not self._seconds:
            self._seconds, self._cheapest = seconds, {}
        if rows not in self._cheapest:
            here = seconds[min(rows, MOST_TOKENS)]
            rises = [(each - here) / further for further, each in enumerate(seconds[rows + 1 :], 1)]
            self._cheapest[rows] = rows * min(rises, default=here) / here
        return self._cheapest[rows]

    @property
    def _level(self) -> float:
        return self.times.level

    def wait(self, entering: bool) -> float:
        """Returns the seconds that the device waits before a step with drafts, which may be the first of a run."""
        return (ENTRY if entering else 1.0) * self.times.waits[True] / self._level


def _best(
    likely: list[tuple[float, int]], rows: int, seconds: list[float], wait: float, plain_wait: float, goes_back: bool
) -> tuple[list[tuple[float, int]], float]:
    """Returns the tokens to verify, of those ``likely``, which come likeliest first, and the rate that is expected of
    the step. ``seconds``: what a step takes by its tokens; ``wait``: what it takes besides with drafts, and
    ``plain_wait`` without. ``goes_back``: as in ``LearnedDepths``.
    """
    best, count, given = WORTH * rows / (seconds[min(rows, MOST_TOKENS)] + plain_wait), 0, float(rows)
    for number, (chance, _) in enumerate(likely[: max(0, MOST_TOKENS - rows)], 1):
        given += chance
        again = 0.0
        if goes_back:
            behind = min(MOST_TOKENS, rows + math.ceil(given - rows) + 1)
            again = (1 - chance) * (seconds[behind] - seconds[min(rows, MOST_TOKENS)])
        rate = given / (seconds[rows + number] + wait + again)
        if rate > best:
            best, count = rate, number
    return likely[:count], best

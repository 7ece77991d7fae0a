"""What a step takes by how many tokens it has: the cost curve of one model on one device, learned from steps."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise

MOST_TOKENS = 256
"""Wider steps are taken to cost as much more as the last ones known."""

BINS: tuple[int, ...] = (*range(1, 17), 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)

GUESSED_RISE = 0.12
"""Of a step with a single token, what each further one adds where nothing is known yet."""

CONTEXTS = (1_024, 4_096, 16_384)
"""Lengths of context between which curves are apart."""

SMOOTHING = 0.05
"""Part that a new time has in one well known."""

LEVEL_SMOOTHING = 0.1
"""Part that a new time has in how slow the machine is now."""

NEW = 8
"""So many steps of a number of tokens change what is told of all, each of them."""

CHANGED = 0.01
"""Later ones do where what is known of their number is another by this part."""

LONGEST_WAIT = 0.1
"""Seconds that a wait counts as at most: on a busy machine the next plan takes its time, and drafts pay for that."""

OUTLIER = 3.0
"""How many times a step may take what is expected and count as more."""


@dataclass(slots=True)
class Curve:
    """Seconds by tokens, at one length of context.

    Attributes:
        seconds: by bin, as far as known.
        seen: how many steps each comes from.
    """

    seconds: dict[int, float] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    _filled: list[float] = field(default_factory=list)
    _told: dict[int, float] = field(default_factory=dict)
    """What ``_filled`` was made of."""

    def add(self, tokens: int, seconds: float) -> None:
        bin = bin_of(tokens)
        count = self.seen.get(bin, 0) + 1
        known = self.seconds.get(bin, seconds)
        self.seconds[bin] = known + (seconds - known) * max(SMOOTHING, 1 / count)
        self.seen[bin] = min(count, 1_000)
        if count <= NEW or abs(self.seconds[bin] - self._told.get(bin, 0.0)) > CHANGED * known:
            self._filled = []

    def filled(self) -> list[float]:
        """Returns the seconds of 0 to ``MOST_TOKENS`` tokens, never falling; known ones joined by straight lines. Empty
        where nothing is known."""
        if not self._filled and self.seconds:
            self._told = dict(self.seconds)
            self._filled = _filled(sorted(self._told.items()))
        return self._filled


def bin_of(tokens: int) -> int:
    """Returns the bin whose steps are most like one of ``tokens``."""
    at = bisect_left(BINS, tokens)
    if at == len(BINS):
        return BINS[-1]
    return BINS[at] if at == 0 or BINS[at] - tokens <= tokens - BINS[at - 1] else BINS[at - 1]


def _filled(known: list[tuple[int, float]]) -> list[float]:
    (first, seconds), filled = known[0], list[float]()
    # Fewer tokens than any known take as much less as they would by the guess.
    base = seconds / (1 + GUESSED_RISE * (first - 1))
    filled = [base * (1 + GUESSED_RISE * max(0, tokens - 1)) for tokens in range(first)]
    rise = base * GUESSED_RISE
    for (left, earlier), (right, later) in pairwise(known):
        low = max(earlier, filled[-1]) if filled else earlier
        rise = (max(low, later) - low) / (right - left)
        filled += [low + rise * at for at in range(right - left)]
    last = max(known[-1][1], filled[-1] if filled else 0.0)
    # Behind the last known a step may rise again as the first guess has it: hopes of free tokens are tested in part.
    return filled + [last + rise * at for at in range(MOST_TOKENS + 1 - len(filled))]


class StepTimes:
    """Owns the curves, and how the machine does now beside what they say: others may use it too.

    Attributes:
        waits: seconds for which the device has nothing to do before a step: one with drafts, and one without.
        changed: there is something to keep.
    """

    def __init__(self) -> None:
        self.curves: dict[int, Curve] = {}
        self.waits: dict[bool, float] = {True: 0.001, False: 0.0}
        self.changed = False
        self._level = 1.0
        self._context = 0

    def observed(self, tokens: int, seconds: float) -> None:
        """A step of so many tokens took so long."""
        curve = self._curve()
        filled = curve.filled()
        if filled:
            ratio = seconds / filled[min(tokens, MOST_TOKENS)]
            ratio = min(ratio, OUTLIER * self._level)
            relative = ratio / self._level
            self._level += (ratio - self._level) * LEVEL_SMOOTHING
            seconds = filled[min(tokens, MOST_TOKENS)] * relative
        curve.add(tokens, seconds)
        self.changed = True

    def waited(self, drafted: bool, seconds: float) -> None:
        """The device had nothing to do for so long before a step."""
        self.waits[drafted] += (min(seconds, LONGEST_WAIT) - self.waits[drafted]) * LEVEL_SMOOTHING

    def at(self, context: int) -> list[float]:
        """Returns the seconds of 0 to ``MOST_TOKENS`` tokens behind contexts of that length, from now on also those of
        steps that are observed; empty where nothing is known."""
        self._context = bisect_left(CONTEXTS, context)
        return self._curve().filled()

    @property
    def level(self) -> float:
        """How many times as long as they used to steps take now."""
        return self._level

    def _curve(self) -> Curve:
        curve = self.curves.get(self._context)
        if curve is None:
            near = min(self.curves, key=lambda each: abs(each - self._context), default=None)
            curve = Curve(dict(self.curves[near].seconds)) if near is not None else Curve()
            self.curves[self._context] = curve
        return curve

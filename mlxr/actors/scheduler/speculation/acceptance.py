"""Acceptance: how likely a draft's next token is right, learned from what came of drafts before."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlxr.actors.scheduler.speculation.origins import DraftKind, Part

CLASSES = 6
"""Classes of match lengths: 1, 2 and 3, 4 to 7, 8 to 15, 16 to 31, and longer."""

FIRST_GUESS: dict[DraftKind, tuple[float, ...]] = {
    DraftKind.LOOKUP: (0.2, 0.3, 0.55, 0.75, 0.88, 0.95),
    DraftKind.SHARED: (0.2, 0.3, 0.5, 0.7, 0.85, 0.93),
    DraftKind.PREDICTION: (0.5, 0.6, 0.75, 0.85, 0.92, 0.96),
    DraftKind.GRAMMAR: (0.9,) * CLASSES,
    DraftKind.DRAFT_MODEL: (0.6, 0.6, 0.6, 0.6, 0.3, 0.3),
    DraftKind.MTP: (0.6, 0.6, 0.6, 0.6, 0.3, 0.3),
}
"""Of tokens behind matches of each class, how many are right. From copies, summaries and prose of small models; the
last classes of what the device makes are those of sequences that are sampled (``device_drafts.py``)."""

GUESS_WEIGHT = 8.0
"""Tokens that a first guess counts as."""

ENGINE_MEMORY = 400.0
"""Tokens of a kind and class that an engine remembers, older ones less and less."""

SEQUENCE_MEMORY = 32.0
"""As above, of a sequence alone."""

ENGINE_WEIGHT = 6.0
"""Tokens that what the engine has seen counts as, for a sequence."""


def class_of(length: int) -> int:
    """Returns the class of a match of ``length`` tokens, 0 for none."""
    return max(0, min(length.bit_length() - 1, CLASSES - 1))


@dataclass(slots=True)
class Tally:
    """How many tokens were right, of how many; what is old counts less."""

    right: float = 0.0
    of: float = 0.0

    def add(self, right: int, of: int, memory: float) -> None:
        fade = max(0.0, 1.0 - of / memory)
        self.right, self.of = self.right * fade + right, self.of * fade + of


Tallies = dict[tuple[DraftKind, int], Tally]


@dataclass(slots=True)
class Acceptance:
    """Owns what came of drafts, by their kinds and the lengths of their matches: of the engine, and of each sequence.

    A token further into a draft is behind a longer match, if it comes to be tested at all, and is judged by that. What
    the executor makes itself has classes as ``device_drafts.py`` says.
    """

    engine: Tallies = field(default_factory=dict)
    sequences: dict[int, Tallies] = field(default_factory=dict)

    def survival(self, sequence: int, parts: list[Part], least: float) -> list[float]:
        """Returns for each token of a draft how likely it and all before it are right, as long as that is ``least`` or
        more."""
        survival: list[float] = []
        likely = 1.0
        for origin, count in parts:
            length, last, rate = origin.length, -1, 0.0
            for _ in range(count):
                group = class_of(length)
                if group != last:
                    last, rate = group, self.rate(sequence, origin.kind, group)
                likely *= rate
                if likely < least:
                    return survival
                survival.append(likely)
                length += length > 0
        return survival

    def rate(self, sequence: int, kind: DraftKind, group: int) -> float:
        """Returns how likely a token is right whose draft is of ``kind``, behind a match of class ``group``."""
        seen = self.engine.get((kind, group))
        right, of = (seen.right, seen.of) if seen is not None else (0.0, 0.0)
        rate = (right + GUESS_WEIGHT * FIRST_GUESS[kind][group]) / (of + GUESS_WEIGHT)
        own = self.sequences.get(sequence, {}).get((kind, group))
        return rate if own is None else (own.right + ENGINE_WEIGHT * rate) / (own.of + ENGINE_WEIGHT)

    def add(self, sequence: int, parts: list[Part], drafted: int, accepted: int) -> None:
        """Of ``drafted`` tokens of a draft the first ``accepted`` were right, those behind the next untested."""
        counts: dict[tuple[DraftKind, int], tuple[int, int]] = {}
        at, tested = 0, min(drafted, accepted + 1)
        for origin, count in parts:
            for further in range(min(count, tested - at)):
                key = origin.kind, class_of(origin.length + further if origin.length else 0)
                right, of = counts.get(key, (0, 0))
                counts[key] = right + (at + further < accepted), of + 1
            at += count
        own = self.sequences.setdefault(sequence, {})
        for key, (right, of) in counts.items():
            self.engine.setdefault(key, Tally()).add(right, of, ENGINE_MEMORY)
            own.setdefault(key, Tally()).add(right, of, SEQUENCE_MEMORY)

    def forget(self, sequence: int) -> None:
        self.sequences.pop(sequence, None)

"""Tokens that a sequence's constraint leaves no choice about, as the executor, which follows it, tells."""

from __future__ import annotations

from mlxr.actors.scheduler.sequences import Sequence


class GrammarDrafter:
    """Owns what is forced to follow sequences. A text may be made of other tokens than those told: then it has no draft
    until there is news.

    Attributes:
        known: what it is, by sequences' ids; of others there is nothing.
    """

    def __init__(self) -> None:
        self.known: dict[int, list[int]] = {}

    def forced(self, sequence: Sequence, tokens: list[int]) -> None:
        """Nothing but ``tokens`` can follow all that is known of the sequence."""
        self.known[sequence.id] = tokens

    def accepted(self, sequence: Sequence, tokens: list[int]) -> int:
        """Returns how many of ``tokens``, the first, were forced."""
        forced = self.known.pop(sequence.id, None)
        if forced is None:
            return 0
        same = next((at for at, (one, other) in enumerate(zip(forced, tokens, strict=False)) if one != other), None)
        same = min(len(forced), len(tokens)) if same is None else same
        if same == len(tokens) < len(forced):
            self.known[sequence.id] = forced[same:]
        return same

    def closed(self, sequence: Sequence) -> None:
        self.known.pop(sequence.id, None)

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        return self.known.get(sequence.id, [])[:most]

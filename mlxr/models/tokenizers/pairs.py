"""Two texts as one input of an encoder: what a model's rules put around and between them."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.models.tokenizers.special import SpecialTokens

DOUBLED = "</s>"
"""RoBERTa's end of a text, of which two stand between the texts of a pair."""


@dataclass(frozen=True, slots=True)
class PairFrame:
    """``before``, ``between``, ``after``: the token ids at these places. ``segmented``: the second text, and what is
    after it, are of the second segment."""

    before: list[int]
    between: list[int]
    after: list[int]
    segmented: bool = False

    @property
    def size(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)


def frame_of(special: SpecialTokens, end: str) -> PairFrame | None:
    """Returns the frame that follows from a file's rules for one text; None for a model that puts no end behind one.
    ``end``: how that is written."""
    if not special.add_eos or special.eos is None:
        return None
    before = [special.bos] if special.add_bos and special.bos is not None else []
    return PairFrame(before, [special.eos] * (2 if end == DOUBLED else 1), [special.eos])

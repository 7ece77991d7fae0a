"""Which family that mlxr has is nearest to one that it lacks, by what files call them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import takewhile


def nearest(architecture: str, known: Iterable[str]) -> str:
    """Returns the name that begins as ``architecture`` does, the longer the better. Of several, one with another number
    there is nearer than one with another word; then the one that is most like it, and the last by the alphabet (a
    higher number). Case and what joins words count for nothing."""
    wanted = _plain(architecture)

    def likeness(name: str) -> tuple[int, bool, float]:
        plain = _plain(name)
        same = list(takewhile(lambda pair: pair[0] == pair[1], zip(wanted, plain, strict=False)))
        numbered = all(word[len(same) : len(same) + 1].isdigit() for word in (wanted, plain))
        return len(same), numbered, difflib.SequenceMatcher(None, wanted, plain).ratio()

    return max(sorted(known, reverse=True), key=likeness, default="")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())

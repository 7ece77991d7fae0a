"""Strings to look for in text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class Markers:
    """Strings to look for; none may be the beginning of another."""

    __slots__ = ("firsts", "longest", "strings")

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = tuple(dict.fromkeys(strings))
        self.firsts = tuple({string[0] for string in self.strings})
        self.longest = max(map(len, self.strings), default=0)

    def find(self, text: str, start: int) -> tuple[int, str]:
        """Place and string of the first occurrence from ``start`` on; (-1, "") for none."""
        places = ((text.find(string, start), string) for string in self.strings)
        return min((place for place in places if place[0] >= 0), default=(-1, ""))

    def undecided(self, text: str, start: int) -> int:
        """Returns the first index, ``start`` or later, such that a marker may begin with all of ``text`` from there on;
        ``len(text)`` for none."""
        for at in range(max(start, len(text) - self.longest + 1), len(text)):
            if text[at] in self.firsts and any(string.startswith(text[at:]) for string in self.strings):
                return at
        return len(text)

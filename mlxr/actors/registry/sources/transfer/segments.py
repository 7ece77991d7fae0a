"""Which bytes of a file are there, and which to ask for next: values without I/O.

A file is cut into segments of one size, each of which is filled from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlxr.actors.registry.sources.transfer.limits import MIB

SMALLEST = 32 * MIB
MOST = 1024
"""Bytes of a segment at least, and segments of a file at most."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Bytes to fetch, of one segment: from ``start`` up to ``end``, which is not among them."""

    index: int
    start: int
    end: int


class Segments:
    """Owns what is known of one file's bytes.

    size: of the file.
    have: bytes that are there of each segment, in order; as ``snapshot`` gave them.
    """

    def __init__(self, size: int, have: list[int] | None = None) -> None:
        self.size = size
        self.length = segment_length(size)
        count = -(-size // self.length)
        self._have = have if have is not None and _sound(have, size, self.length) else [0] * count
        self._taken: set[int] = set()

    @property
    def completed(self) -> int:
        """Bytes that are there."""
        return sum(self._have)

    @property
    def whole(self) -> bool:
        return self.completed == self.size

    @property
    def contiguous(self) -> int:
        """Bytes from the file's beginning without a gap."""
        for index, have in enumerate(self._have):
            if have < self._span(index):
                return index * self.length + have
        return self.size

    @property
    def extent(self) -> int:
        """How long the file must be to hold what is there."""
        return max((index * self.length + have for index, have in enumerate(self._have) if have), default=0)

    def take(self) -> Missing | None:
        """Returns the first bytes that are missing and that nobody fetches yet; they are the caller's until
        ``give_back``."""
        for index, have in enumerate(self._have):
            if have < self._span(index) and index not in self._taken:
                self._taken.add(index)
                return self.rest(index)
        return None

    def rest(self, index: int) -> Missing:
        """Returns what is still missing of a segment."""
        start = index * self.length
        return Missing(index, start + self._have[index], start + self._span(index))

    def give_back(self, index: int) -> None:
        self._taken.discard(index)

    def add(self, index: int, count: int) -> None:
        """``count`` bytes more of a segment are there."""
        self._have[index] += count

    def spread(self, start: int, count: int) -> Iterator[tuple[int, int]]:
        """``count`` bytes from ``start`` on, as the segments that they lie in, each with how many are in it."""
        while count > 0:
            index = start // self.length
            here = min(count, (index + 1) * self.length - start)
            yield index, here
            start, count = start + here, count - here

    def clear(self) -> None:
        """Nothing is there any more."""
        self._have = [0] * len(self._have)

    def snapshot(self) -> list[int]:
        return list(self._have)

    def _span(self, index: int) -> int:
        return min(self.length, self.size - index * self.length)


def segment_length(size: int) -> int:
    """Returns how many bytes each segment of a file of ``size`` bytes has, but the last."""
    even = -(-size // MOST)
    return max(SMALLEST, -(-even // MIB) * MIB)


def _sound(have: list[int], size: int, length: int) -> bool:
    spans = [min(length, size - start) for start in range(0, size, length)]
    return len(have) == len(spans) and all(0 <= there <= span for there, span in zip(have, spans, strict=True))

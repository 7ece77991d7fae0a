"""A text's n-grams: where its last tokens stood before, and so what followed them there."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LENGTHS = (3, 6, 12)
"""Lengths of the n-grams that are indexed, the shortest first."""

SHORTEST, LONGEST = LENGTHS[0], LENGTHS[-1]

SLICE = 16_384
"""Tokens that ``index_some`` takes in at most: 1 ms."""

SPARSE = 4
"""Places of a table for each token at least: where two n-grams have the same one, the earlier is forgotten."""

COUNTED = 32
"""Tokens that a match's length is counted to."""

MULTIPLIER = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

NOTHING: array[int] = array("i")


@dataclass(slots=True)
class Match:
    """The last tokens of a text have been found.

    Attributes:
        position: of what followed them there.
        length: how many of them are the same, counted up to ``COUNTED``.
    """

    position: int
    length: int


class TextIndex:
    """Owns a text's tokens, and for each n-gram of some lengths where it ended last.

    An n-gram is found by its hash in a table of positions, in which a later one takes the place of an earlier one; the
    text itself tells whether what is found is what was sought. A token takes 4 bytes, and 48 to 100 of tables.
    """

    def __init__(self, tokens: bytes = b"", room: int = 0) -> None:
        """``tokens``: native 32-bit integers; they are indexed by ``index_some``. ``room``: tokens likely to come."""
        self.tokens = array("i", tokens)
        self._indexed = 0
        """Positions whose n-grams, those that end right before them, are in the tables."""
        self._bits = max(8, (SPARSE * (len(self.tokens) + room)).bit_length())
        self._tables = self._empty()

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def ready(self) -> bool:
        """Whether nothing is left to be indexed."""
        return self._indexed == len(self.tokens)

    def index_some(self, most: int = SLICE) -> None:
        """Takes in at most ``most`` tokens that are not in the tables yet."""
        until = min(len(self.tokens), self._indexed + most)
        if SPARSE * until > 1 << self._bits:
            self._bits = (SPARSE * until).bit_length() + 1
            self._tables, self._indexed = self._empty(), 0
        self._take(self._indexed, until)
        self._indexed = until

    def append(self, token: int) -> None:
        """Adds a token, at 3 µs where everything before it is indexed."""
        at = len(self.tokens)
        full = SPARSE * at > 1 << self._bits
        if self._indexed == at and not full:
            for table, value in zip(self._tables, self._hashes(self.tokens[-LONGEST:]), strict=False):
                table[value >> (64 - self._bits)] = at
            self._indexed = at + 1
        self.tokens.append(token)
        if full:
            self.index_some()

    def extend(self, tokens: bytes) -> None:
        """Adds tokens (native 32-bit integers), which are indexed by ``index_some``."""
        self.tokens.frombytes(tokens)

    def find(self, tail: array[int], longer_than: int = 0) -> Match | None:
        """Returns the latest place of as many of the last tokens of ``tail``, a copy of some text's end, as there is.
        None where no more than ``longer_than`` are found, or fewer than ``SHORTEST``."""
        hashes = self._hashes(tail)
        for length, table, value in reversed(list(zip(LENGTHS, self._tables, hashes, strict=False))):
            if length <= longer_than:
                return None
            position = table[value >> (64 - self._bits)]
            if position >= length and self.tokens[position - length : position] == tail[-length:]:
                return Match(position, self._common(position, tail, length))
        return None

    def _common(self, position: int, tail: array[int], known: int) -> int:
        """How many tokens before ``position`` are the last of ``tail``, of which ``known`` are for sure."""
        most = min(position, len(tail), COUNTED)
        while known < most and self.tokens[position - known - 1] == tail[-known - 1]:
            known += 1
        return known

    @staticmethod
    def _hashes(tail: array[int]) -> list[int]:
        """Hashes of the n-grams that ``tail`` ends with, of each length that it has."""
        hashes: list[int] = []
        value = 0
        for count, token in enumerate(reversed(tail), 1):
            value = (value + token) * MULTIPLIER & MASK
            if count in LENGTHS:
                hashes.append(value)
            if count == LONGEST:
                break
        return hashes

    def _empty(self) -> list[memoryview]:
        return [np.zeros(1 << self._bits, np.int32).data for _ in LENGTHS]

    def _take(self, first: int, until: int) -> None:
        """Puts the n-grams that end before the positions from ``first`` up to ``until`` into the tables."""
        begin = max(0, first - LONGEST)
        tokens: NDArray[np.uint64] = np.array(self.tokens[begin:until], np.int64).view(np.uint64)
        value: NDArray[np.uint64] = np.zeros(len(tokens), np.uint64)
        for back in range(min(LONGEST, len(tokens))):
            # ``value[i]`` is of the tokens that end with number i: those with too few before them are left out below.
            value[back:] += tokens[: len(tokens) - back]
            value *= np.uint64(MULTIPLIER)
            if back + 1 in LENGTHS:
                start = max(back + 1, first - begin)
                at = np.arange(begin + start, until, dtype=np.int32)
                table = np.frombuffer(self._tables[LENGTHS.index(back + 1)], np.int32)
                # Of several positions for one place the last is kept.
                table[(value[start - 1 : len(tokens) - 1] >> np.uint64(64 - self._bits)).astype(np.int64)] = at

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
POWERS = [(length, pow(MULTIPLIER, length, 1 << 64)) for length in LENGTHS]

ROLLED = 256
"""Positions whose hashes are kept before all but the last are dropped."""

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
        self._rolling = [0]
        """Hashes of the text's beginnings, or of what began somewhere before, at its last positions."""
        self._rolled = 0
        """Length of the text at the last of them."""
        self._end: list[int] | None = None
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
        """Adds a token, at a microsecond or two where everything before it is indexed."""
        at, shift = len(self.tokens), 64 - self._bits
        full = SPARSE * at > 1 << self._bits
        if self._indexed == at and not full:
            for table, value in zip(self._tables, self.end(), strict=False):
                table[value >> shift] = at
            self._indexed = at + 1
        self.tokens.append(token)
        self._roll(token)
        if full:
            self.index_some()

    def end(self) -> list[int]:
        """Returns the hashes of the n-grams that the text ends with, of each length that it has."""
        if self._end is None:
            if self._rolled != len(self.tokens):
                self._rolling, self._rolled = [0], len(self.tokens)
                for token in self.tokens[-LONGEST:]:
                    self._rolling.append((self._rolling[-1] * MULTIPLIER + token) & MASK)
            rolling, last = self._rolling, len(self._rolling)
            now = rolling[-1]
            self._end = [
                (now - rolling[-1 - length] * power) * MULTIPLIER & MASK for length, power in POWERS if length < last
            ]
        return self._end

    def extend(self, tokens: bytes) -> None:
        """Adds tokens (native 32-bit integers), which are indexed by ``index_some``."""
        self.tokens.frombytes(tokens)
        self._end = None

    def find(self, tail: array[int], hashes: list[int], longer_than: int = 0) -> Match | None:
        """Returns the latest place of as many of the last tokens of ``tail``, a copy of some text's end, as there is.
        None where no more than ``longer_than`` are found, or fewer than ``SHORTEST``. ``hashes``: ``end`` of that text,
        or ``hashes_of(tail)``."""
        shift, found = 64 - self._bits, None
        for length, table, value in zip(LENGTHS, self._tables, hashes, strict=False):
            position = table[value >> shift]
            if not position:
                break  # Nothing longer can be anywhere either.
            if length > longer_than and self._ends_at(position, tail[-length:]):
                found = position, length
        return Match(found[0], self._common(found[0], tail, found[1])) if found is not None else None

    def _ends_at(self, position: int, tail: array[int]) -> bool:
        return position >= len(tail) and self.tokens[position - len(tail) : position] == tail

    def _common(self, position: int, tail: array[int], known: int) -> int:
        """How many tokens before ``position`` are the last of ``tail``, of which ``known`` are for sure."""
        most = min(position, len(tail), COUNTED)
        while known < most and self.tokens[position - known - 1] == tail[-known - 1]:
            known += 1
        return known

    def _roll(self, token: int) -> None:
        self._end = None
        if self._rolled != len(self.tokens) - 1:
            return
        self._rolled += 1
        self._rolling.append((self._rolling[-1] * MULTIPLIER + token) & MASK)
        if len(self._rolling) > ROLLED:
            del self._rolling[: -LONGEST - 1]

    def _empty(self) -> list[memoryview]:
        return [np.zeros(1 << self._bits, np.int32).data for _ in LENGTHS]

    def _take(self, first: int, until: int) -> None:
        """Puts the n-grams that end before the positions from ``first`` up to ``until`` into the tables."""
        begin = max(0, first - LONGEST)
        tokens: NDArray[np.uint64] = np.array(self.tokens[begin:until], np.int64).view(np.uint64)
        value: NDArray[np.uint64] = np.zeros(len(tokens), np.uint64)
        power = 1
        for back in range(min(LONGEST, len(tokens))):
            # ``value[i]`` is of the tokens that end with number i: those with too few before them are left out below.
            value[back:] += tokens[: len(tokens) - back] * np.uint64(power)
            power = power * MULTIPLIER & MASK
            if back + 1 in LENGTHS:
                start = max(back + 1, first - begin)
                at = np.arange(begin + start, until, dtype=np.int32)
                table = np.frombuffer(self._tables[LENGTHS.index(back + 1)], np.int32)
                places = value[start - 1 : len(tokens) - 1] * np.uint64(MULTIPLIER) >> np.uint64(64 - self._bits)
                # Of several positions for one place the last is kept.
                table[places.astype(np.int64)] = at


def hashes_of(tail: array[int]) -> list[int]:
    """Returns hashes of the n-grams that ``tail`` ends with, of each length that it has."""
    hashes: list[int] = []
    value, power = 0, 1
    for count, token in enumerate(reversed(tail[-LONGEST:]), 1):
        value = (value + token * power) & MASK
        power = power * MULTIPLIER & MASK
        if count in LENGTHS:
            hashes.append(value * MULTIPLIER & MASK)
    return hashes

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

FEW = 16
"""Positions up to which Python is quicker than NumPy."""

MULTIPLIER = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


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

    A token that is appended goes into the table of the shortest n-grams alone. Nothing longer is anywhere unless these
    are, so that the other tables are brought up to date once they are.
    """

    def __init__(self, tokens: bytes = b"", room: int = 0) -> None:
        """``tokens``: native 32-bit integers; they are indexed by ``index_some``. ``room``: tokens likely to come."""
        self.tokens = array("i", tokens)
        self._indexed = 0
        """Positions whose shortest n-grams, those that end right before them, are in their table."""
        self._indexed_longer = 0
        """Positions of which all are."""
        self._bits = max(8, (SPARSE * (len(self.tokens) + room)).bit_length())
        self._tables = self._empty()
        self._last = self._pair = self._end = 0
        """The last token, and hashes of the last two and of the last three, as far as the text has them."""
        self._rehash()

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
            self._tables, self._indexed, self._indexed_longer = self._empty(), 0, 0
        self._take(self._indexed_longer, until)
        self._indexed = self._indexed_longer = until

    def append(self, token: int) -> bool:
        """Adds a token, at half a microsecond where everything before it is indexed. Returns whether what the text now
        ends with stands in it elsewhere, as is taken to be while not all of it is indexed."""
        tokens, before = self.tokens, self._end
        at = len(tokens)
        tokens.append(token)
        self._end = (self._pair * MULTIPLIER + token) * MULTIPLIER & MASK
        self._pair, self._last = (self._last * MULTIPLIER + token) & MASK, token
        if self._indexed != at:
            return True
        if SPARSE * at > 1 << self._bits:
            self.index_some()
        else:
            if at >= SHORTEST:
                self._tables[0][before >> 64 - self._bits] = at
            self._indexed = at + 1
        return self.has(self._end, tokens[-SHORTEST:])

    def has(self, value: int, gram: array[int]) -> bool:
        """Tells whether ``gram``, one of the shortest n-grams, stands in the text with something behind it, as is taken
        to be while not all of it is indexed. ``value``: its hash."""
        if self._indexed != len(self.tokens):
            return True
        position = self._tables[0][value >> 64 - self._bits]
        return position > 0 and self.tokens[position - SHORTEST : position] == gram

    @property
    def shortest_end(self) -> int:
        """The hash of the shortest n-gram that the text ends with."""
        return self._end

    def end(self) -> list[int]:
        """Returns the hashes of the n-grams that the text ends with, of each length that it has."""
        return hashes_of(self.tokens)

    def extend(self, tokens: bytes) -> None:
        """Adds tokens (native 32-bit integers), which are indexed by ``index_some``."""
        self.tokens.frombytes(tokens)
        self._rehash()

    def find(self, tail: array[int], hashes: list[int], longer_than: int = 0) -> Match | None:
        """Returns the latest place of as many of the last tokens of ``tail``, a copy of some text's end, as there is.
        None where no more than ``longer_than`` are found, or fewer than ``SHORTEST``. ``hashes``: ``end`` of that text,
        or ``hashes_of(tail)``."""
        shift, found = 64 - self._bits, None
        if hashes and self._tables[0][hashes[0] >> shift]:
            self._index_longer()
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

    def _rehash(self) -> None:
        """Computes the hashes of the text's end, which is another."""
        self._last = self._pair = self._end = 0
        for token in self.tokens[-SHORTEST:]:
            self._end = (self._pair * MULTIPLIER + token) * MULTIPLIER & MASK
            self._pair, self._last = (self._last * MULTIPLIER + token) & MASK, token

    def _index_longer(self) -> None:
        """Brings the tables of longer n-grams up to date."""
        first, until = self._indexed_longer, self._indexed
        if until - first > FEW:
            self._take(first, until)
        else:
            shift = 64 - self._bits
            for at in range(first, until):
                values = hashes_of(self.tokens[max(0, at - LONGEST) : at])
                for table, value in zip(self._tables[1:], values[1:], strict=False):
                    table[value >> shift] = at
        self._indexed_longer = until

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

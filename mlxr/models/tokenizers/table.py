"""The bytes of every token of a vocabulary, held compactly."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import islice

import numpy as np

STRETCH = 1 << 14
"""Tokens put together in one go, which holds the interpreter: a millisecond."""


class TokenTable:
    """Token id to bytes: one blob and its offsets, some 4 bytes a token on top of the text itself.

    A list of ``bytes`` would take ten times as much, and the vocabulary stays in the main process for as long as its
    model does.
    """

    __slots__ = ("_blob", "_offsets")

    def __init__(self, tokens: Iterable[bytes]) -> None:
        # Piece by piece: a list of all of them would leave the heap full of holes.
        blob, offsets = bytearray(), array("I", [0])
        for token in tokens:
            blob += token
            offsets.append(len(blob))
        self._blob, self._offsets = memoryview(bytes(blob)), memoryview(offsets)

    @classmethod
    def unpack(cls, blob: memoryview, offsets: memoryview) -> TokenTable:
        """Returns the table that ``packed`` gave, over the same memory."""
        table = cls([])
        table._blob, table._offsets = blob, offsets.cast("I")
        return table

    def packed(self) -> tuple[memoryview, memoryview]:
        """Returns the text of all tokens, and the native 32-bit offsets where each begins (and the last ends)."""
        return self._blob, self._offsets.cast("B")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def longest(self) -> int:
        """Bytes of the longest token."""
        offsets = np.array(self._offsets, np.int64)
        return int(np.max(offsets[1:] - offsets[:-1], initial=0))

    def __getitem__(self, token: int) -> bytes:
        """Returns the bytes of ``token``; empty for an id beyond the vocabulary (a padded output layer can produce
        one)."""
        offsets = self._offsets
        return self._blob[offsets[token] : offsets[token + 1]].tobytes() if 0 <= token < len(offsets) - 1 else b""

    def join(self, tokens: Iterable[int]) -> bytes:
        left, stretches = iter(tokens), []
        while stretch := [*islice(left, STRETCH)]:
            stretches.append(b"".join(map(self.__getitem__, stretch)))
        return b"".join(stretches)

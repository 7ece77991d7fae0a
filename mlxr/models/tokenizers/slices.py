"""Long texts encoded slice by slice: the tokenizer libraries take up to 500 bytes for each byte of what they encode."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SLICE = 1 << 16
"""Characters encoded at once, at most."""

_BETWEEN_LETTERS = re.compile(r"[^\W\d_] [^\W\d_]")


def slices(text: str, *, drop_space: bool = False, size: int = SLICE) -> Iterator[str]:
    """Yields ``text`` in slices that can be encoded one by one: their tokens joined are those of the whole.

    A slice ends before a space between two letters, where every pre-tokenizer begins a new word. ``drop_space``: that
    space is left out, since the tokenizer puts one before each text that it is given (SentencePiece's dummy prefix). A
    text that has no such place for half of ``size`` characters is cut in a word.
    """
    start = 0
    while len(text) - start > size:
        end = _boundary(text, start + size // 2, start + size)
        yield text[start:end]
        start = end + 1 if drop_space and text[end] == " " else end
    yield text[start:]


def batches(parts: Iterable[str | int]) -> Iterator[list[str | int]]:
    """Yields ``parts`` (text and token ids) in their order, text in slices, so many together as make one slice's
    length."""
    batch: list[str | int] = []
    length = 0
    for part in parts:
        for piece in [part] if isinstance(part, int) else slices(part):
            size = len(piece) if isinstance(piece, str) else 1
            if batch and length + size > SLICE:
                yield batch
                batch, length = [], 0
            batch.append(piece)
            length += size
    if batch:
        yield batch


def crosses_words(tokens: Iterable[bytes], space: bytes) -> bool:
    """Tells whether a token has a ``space`` between two letters, so that texts can't be cut there."""
    within = (token for token in tokens if space in token.lstrip(space))
    return any(_BETWEEN_LETTERS.search(token.replace(space, b" ").decode("utf-8", "replace")) for token in within)


def _boundary(text: str, begin: int, end: int) -> int:
    """Returns the last index of a space between two letters in ``text[begin:end]``; ``end`` if there is none."""
    at = text.rfind(" ", begin, end)
    while at > 0:
        if text[at - 1].isalpha() and text[at + 1 : at + 2].isalpha():
            return at
        at = text.rfind(" ", begin, at)
    return end

"""What a tokenizer is to the rest of mlxr, and the parts that all kinds share."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Protocol

from mlxr.models.tokenizers.pairs import PairFrame, frame_of
from mlxr.models.tokenizers.special import SpecialTokens
from mlxr.models.tokenizers.table import TokenTable


class TokenTexts(Protocol):
    """What token ids mean: all that turning them into text takes.

    ``strips_space``: whether encoding puts a space before the text, which decoding from the start takes away again
    (SentencePiece's dummy prefix).
    """

    special: SpecialTokens
    vocab_size: int
    strips_space: bool

    def token_bytes(self, token: int) -> bytes:
        """Returns the bytes ``token`` stands for (part of a UTF-8 character, possibly); its name for a control
        token."""


class TableTokenTexts:
    """``TokenTexts`` over a ``TokenTable``."""

    token_bytes: Callable[[int], bytes]

    def __init__(self, table: TokenTable, special: SpecialTokens, *, strips_space: bool = False) -> None:
        self.special = special
        self.strips_space = strips_space
        self.vocab_size = len(table)
        self.table = table
        self.token_bytes = table.__getitem__  # Every token of every stream asks for it.


class Tokenizer(TokenTexts, Protocol):
    """Text to token ids and back.

    Every method may be called from any thread; ``encode`` spends its time without the GIL. ``markers``: control tokens
    as they are written, which ``parse_special`` finds.
    """

    table: TokenTable
    markers: frozenset[str]

    def encode(
        self,
        text: str,
        *,
        add_special: bool = True,
        parse_special: bool = True,
        escape: str = "",
        limit: int = sys.maxsize,
    ) -> list[int]:
        """Returns the token ids of ``text``.

        ``add_special``: put BOS/EOS (or the like) around it, as the model's own rules say; a BOS that the text
        already begins with is not doubled. ``parse_special``: control tokens written out in the text (``<|im_end|>``)
        become those tokens; otherwise they are plain text. ``escape``: a character that keeps some of them from being
        found, and that is no part of the text: a conversation is encoded with it, so that no words in it count.
        ``limit``: of a text that has more tokens, some beyond so many suffice.
        """

    def token_id(self, text: str) -> int | None:
        """Id of the token that is written ``text`` in the vocabulary, such as ``<|im_end|>``."""

    def pair_frame(self) -> PairFrame | None:
        """Returns what stands around and between two texts of one input; None where the model has no rule for that."""

    def decode(self, tokens: Iterable[int], *, skip_special: bool = True) -> str:
        """Returns the text of ``tokens``; bytes that are not UTF-8 become U+FFFD. ``skip_special`` leaves control
        tokens out."""


class TableTokenizer(TableTokenTexts, ABC):
    """A tokenizer over a ``TokenTable``; subclasses encode."""

    def __init__(
        self, table: TokenTable, special: SpecialTokens, *, markers: Collection[str], strips_space: bool = False
    ) -> None:
        super().__init__(table, special, strips_space=strips_space)
        self.markers = frozenset(markers)

    def encode(
        self,
        text: str,
        *,
        add_special: bool = True,
        parse_special: bool = True,
        escape: str = "",
        limit: int = sys.maxsize,
    ) -> list[int]:
        tokens: list[int] = []
        for piece in self._pieces(text, parse_special=parse_special, escape=escape):
            tokens += piece
            if len(tokens) > limit:
                break
        return add_ends(tokens, self.special) if add_special else tokens

    @abstractmethod
    def _pieces(self, text: str, *, parse_special: bool, escape: str) -> Iterator[list[int]]:
        """Returns the token ids of ``text``, bit by bit, with nothing put around it."""

    @abstractmethod
    def token_id(self, text: str) -> int | None: ...

    def pair_frame(self) -> PairFrame | None:
        end = "" if self.special.eos is None else self.token_bytes(self.special.eos).decode("utf-8", "replace")
        return frame_of(self.special, end)

    def decode(self, tokens: Iterable[int], *, skip_special: bool = True) -> str:
        hidden = self.special.control if skip_special else frozenset[int]()
        raw = self.table.join(token for token in tokens if token not in hidden)
        if self.strips_space:
            raw = raw.removeprefix(b" ")
        return raw.decode("utf-8", "replace")


class MarkerSplitter:
    """Finds written-out tokens in text: the leftmost first, the longest at each place."""

    def __init__(self, markers: Mapping[str, int]) -> None:
        self._ids = {text: token for text, token in markers.items() if text}
        self._lengths: dict[str, list[int]] = {}
        for text in self._ids:
            self._lengths.setdefault(text[0], []).append(len(text))
        self._lengths = {first: sorted(set(lengths), reverse=True) for first, lengths in self._lengths.items()}

    def split(self, text: str) -> list[str | int]:
        """Returns ``text`` as a list of plain pieces (never empty) and token ids, in order."""
        parts: list[str | int] = []
        done = 0
        for start in self._candidates(text):
            if start < done:
                continue
            found = self._match(text, start)
            if not found:
                continue
            if start > done:
                parts.append(text[done:start])
            parts.append(self._ids[found])
            done = start + len(found)
        if done < len(text):
            parts.append(text[done:])
        return parts

    def _candidates(self, text: str) -> list[int]:
        places: list[int] = []
        for first in self._lengths:
            at = text.find(first)
            while at >= 0:
                places.append(at)
                at = text.find(first, at + 1)
        return sorted(places)

    def _match(self, text: str, start: int) -> str:
        for length in self._lengths[text[start]]:
            piece = text[start : start + length]
            if piece in self._ids:
                return piece
        return ""


def add_ends(tokens: list[int], special: SpecialTokens) -> list[int]:
    """Returns ``tokens`` with BOS before and EOS after as the model's rules say, neither doubled."""
    if special.add_bos and special.bos is not None and tokens[:1] != [special.bos]:
        tokens = [special.bos, *tokens]
    if special.add_eos and special.eos is not None and tokens[-1:] != [special.eos]:
        tokens = [*tokens, special.eos]
    return tokens

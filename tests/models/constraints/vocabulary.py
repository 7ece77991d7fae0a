"""A tokenizer small enough to walk a grammar with: every byte, and the markers that a test names."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np

from mlxr.models.constraints import Matcher, Vocabulary
from mlxr.models.tokenizers import SpecialTokens

END = 256
ENDING = frozenset(b'"}]\n</')
"""Bytes that bring a walk to its end."""
CLOSERS = (b"</parameter>", b"</arg_value>", b"<escape>", b"<|end|>")
"""Text that random bytes would hardly ever spell."""


class ByteTokenizer:
    """One token a byte, one that ends, and ``control`` tokens."""

    strips_space = False
    markers = frozenset[str]()

    def __init__(self, control: Sequence[str] = ()) -> None:
        self._names = ["<|over|>", *control]
        self.vocab_size = 256 + len(self._names)
        ids = frozenset(range(256, self.vocab_size))
        self.special = SpecialTokens(eos=END, ends=frozenset({END}), control=ids)

    def encode(self, text: str, *, add_special: bool = True, parse_special: bool = True, escape: str = "") -> list[int]:
        if parse_special and text in self._names:
            return [256 + self._names.index(text)]
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        if token < 256:
            return bytes([token])
        return self._names[token - 256].encode() if token < self.vocab_size else b""

    def token_id(self, text: str) -> int | None:
        return 256 + self._names.index(text) if text in self._names else None

    def decode(self, tokens: Iterable[int], *, skip_special: bool = True) -> str:
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", "replace")


def allowed(matcher: Matcher, vocabulary: Vocabulary) -> list[int]:
    """Ids that may come next."""
    row = np.zeros(vocabulary.mask_words, np.int32)
    matcher.mask_into(row)
    bits: list[int] = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
    return bits


def _spelled(text: bytes, closers: Sequence[bytes]) -> set[int]:
    """The bytes that go on with a closer that ``text`` ends with the beginning of."""
    return {closer[length] for closer in closers for length in range(1, len(closer)) if text.endswith(closer[:length])}


def walk(
    matcher: Matcher, vocabulary: Vocabulary, seed: int, limit: int = 2000, closers: Sequence[bytes] = CLOSERS
) -> list[int]:
    """Tokens of a random output that ends as soon as it may, mostly in ASCII."""
    choose, tokens = random.Random(seed), list[int]()
    while len(tokens) < limit:
        ids = allowed(matcher, vocabulary)
        if END in ids:
            return tokens
        spelled = _spelled(bytes(token for token in tokens[-20:] if token < 256), closers)
        if spelled & set(ids) and choose.random() < 0.9:
            ids = sorted(spelled & set(ids))
        closing = [token for token in ids if token in ENDING or token > END]
        plain = [token for token in ids if 0x20 <= token < 0x7F]
        token = choose.choice(closing if closing and choose.random() < 0.4 else plain or ids)
        assert matcher.consume(token), matcher.error
        tokens.append(token)
    raise AssertionError(f"no end in {limit} tokens: {bytes(t for t in tokens if t < 256)!r}")

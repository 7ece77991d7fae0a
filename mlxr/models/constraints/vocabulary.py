"""A model's tokens as llguidance wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlxr.models.constraints.errors import ConstraintError
from mlxr.models.tokenizers import Tokenizer

CALL = b"<|call|>"
"""How gpt-oss ends a turn with a call, which may come before the answer that a constraint is about."""


class Vocabulary:
    """A model's tokens as llguidance wants them; one serves all matchers of a model.

    ``size``: width of the model's output layer, of which ids beyond the tokenizer's are never allowed. Building it
    takes 0.2 s for 50,000 tokens and 1.1 s for 262,000 (2 cores of a server CPU).
    """

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        from llguidance import LLTokenizer, TokenizerWrapper

        self._tokenizer = tokenizer
        self.size = size
        self.mask_words = (size + 31) // 32
        self.ends = tokenizer.special.ends
        self.empty_ends = frozenset(token for token in self.ends if tokenizer.token_bytes(token) != CALL)
        """Ends of a turn that may hold nothing but reasoning."""
        ends = sorted(self.ends)
        if not ends:
            raise ConstraintError("the model has no end token, so constrained output could never end")
        self.tokens = LLTokenizer(TokenizerWrapper(_Adapter(tokenizer, ends[0], size)), n_vocab=size, eos_token=ends)
        # An encoder's tokenizer may know no line breaks at all.
        self.breaks = frozenset(token for text in (b"\n", b"\n\n") for token in self.encode(text)[:1])

    def token_bytes(self, token: int) -> bytes:
        return self._tokenizer.token_bytes(token)

    def encode(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode("utf-8", "replace"), add_special=False, parse_special=False)

    def openers(self, texts: Sequence[bytes]) -> list[int]:
        """Returns the tokens that ``texts`` are, in their order, where they are one each."""
        encoded = (self.encode(text) for text in texts)
        return [tokens[0] for tokens in encoded if len(tokens) == 1]

    def spelled(self, marker: bytes) -> list[int]:
        """Returns how the model writes ``marker``: as a control token where it is one."""
        return self._tokenizer.encode(marker.decode(), add_special=False, parse_special=True)


class _Adapter:
    """What ``TokenizerWrapper`` asks of a tokenizer."""

    def __init__(self, tokenizer: Tokenizer, end: int, size: int) -> None:
        special = tokenizer.special
        self.eos_token_id = end
        self.bos_token_id = special.bos
        self.special_token_ids = sorted(special.control)
        self.tokens = [tokenizer.token_bytes(token) for token in range(size)]
        self._encode = tokenizer.encode

    def __call__(self, text: Any) -> list[int]:
        plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        return self._encode(plain, add_special=False, parse_special=False)

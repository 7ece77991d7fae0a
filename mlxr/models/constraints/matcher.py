"""One sequence's progress through its grammar, and the tokens that may come next."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlxr.models.constraints.grammars import ConstraintError, compile_grammar
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint

Mask = npt.NDArray[np.int32]
ALL = -1
"""32 allowed tokens."""


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
        ends = sorted(tokenizer.special.ends)
        if not ends:
            raise ConstraintError("the model has no end token, so constrained output could never end")
        self.tokens = LLTokenizer(TokenizerWrapper(_Adapter(tokenizer, ends[0], size)), n_vocab=size, eos_token=ends)

    def token_bytes(self, token: int) -> bytes:
        return self._tokenizer.token_bytes(token)

    def encode(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode("utf-8", "replace"), add_special=False, parse_special=False)


class Matcher:
    """Raises ``ConstraintError`` for a grammar that doesn't compile. May be used from one thread at a time; computing a
    mask lets go of the GIL.

    While the text that ``constraint.after`` names has not come, everything is allowed.
    """

    def __init__(self, vocabulary: Vocabulary, constraint: Constraint) -> None:
        from llguidance import LLMatcher

        self._vocabulary = vocabulary
        self._after = constraint.after.encode()
        self._matcher = LLMatcher(vocabulary.tokens, compile_grammar(constraint), log_level=0)
        self._tokens: list[int] = []
        self._begin: int | None = None if self._after else 0
        if self._matcher.is_error():
            raise ConstraintError(self._matcher.get_error().strip())

    @property
    def active(self) -> bool:
        """Whether the constrained part has begun."""
        return self._begin is not None

    @property
    def accepting(self) -> bool:
        """Whether the output may end here."""
        return not self.active or self._matcher.is_accepting()

    @property
    def stopped(self) -> bool:
        """Whether nothing but the end can follow."""
        return self.active and self._matcher.is_stopped()

    @property
    def error(self) -> str:
        """Why the sequence can't go on; empty while it can."""
        return str(self._matcher.get_error()).strip() if self._matcher.is_error() else ""

    def mask_into(self, row: Mask) -> None:
        """Fill ``row`` (int32, contiguous, at least ``mask_words`` long) with one bit for each token that may come
        next: bit ``i % 32`` of word ``i // 32`` is token ``i``'s."""
        words = self._vocabulary.mask_words
        row[words:] = 0
        if not self.active:
            row[:words] = ALL
            return
        mask = row[:words]
        self._matcher.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes)

    def consume(self, token: int) -> bool:
        """Take ``token`` as the next one; False where the grammar forbids it (``error`` then says so)."""
        self._tokens.append(token)
        if self._begin is not None:
            return bool(self._matcher.consume_token(token))
        rest = self._text_after()
        if rest is None:
            return True
        self._begin = len(self._tokens)
        # A token may hold the end of the reasoning and the beginning of the answer.
        return not rest.strip() or bool(self._matcher.consume_tokens(self._vocabulary.encode(rest.lstrip())))

    def rollback(self, count: int) -> None:
        """Forget the last ``count`` tokens."""
        if count <= 0:
            return
        del self._tokens[-count:]
        if self._begin is None:
            return
        if len(self._tokens) >= self._begin:
            self._matcher.rollback(count)
        else:
            self._matcher.reset()
            self._begin = None

    def forced(self) -> list[int]:
        """Tokens that must come next whatever the model thinks; often empty."""
        return list(self._matcher.compute_ff_tokens()) if self.active and not self.stopped else []

    def _text_after(self) -> bytes | None:
        """What the last token brought behind ``after``; None where that is still to come."""
        tail = b""
        for token in reversed(self._tokens):
            tail = self._vocabulary.token_bytes(token) + tail
            if len(tail) >= len(self._after) + len(self._vocabulary.token_bytes(self._tokens[-1])):
                break
        at = tail.rfind(self._after)
        return tail[at + len(self._after) :] if at >= 0 else None


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

"""One sequence's progress through its grammar, and the tokens that may come next."""

from __future__ import annotations

import copy
import ctypes
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from mlxr.models.constraints.errors import ConstraintError, readable
from mlxr.models.constraints.grammars import compile_grammar
from mlxr.models.constraints.vocabulary import Vocabulary
from mlxr.runtime.messages.common import Constraint, ConstraintKind

Mask = npt.NDArray[np.int32]
ALL = -1
"""32 allowed tokens."""

STEP_FUEL = 100_000
"""Work of the lexer for one mask: 7 ms. Who needs more than that for each token fails alone."""

MOST_ITEMS = 10_000
"""Items of the parser at one place. A property that need not be there makes four, and 1,000 are allowed."""

MOST_LEXER_STATES = 50_000
"""States of the lexer that a sequence may come to need, at 1 to 2 KB each."""


class Phase(Enum):
    """Where a sequence stands.

    Attributes:
        MAYBE: at its beginning, where a section that is free of the constraint may open.
        SECTION: in it.
        BREAK: right behind it, where line breaks may come.
        HELD: in the constrained part.
    """

    MAYBE = "maybe"
    SECTION = "section"
    BREAK = "break"
    HELD = "held"


class Matcher:
    """Raises ``ConstraintError`` for a grammar that doesn't compile. May be used from one thread at a time; computing a
    mask lets go of the GIL.

    While the reasoning section has not ended, everything is allowed but the end, until the budget is
    spent. A model that would end there has its section closed for it, if its tokens are judged one by one (``refuse``).
    """

    def __init__(self, vocabulary: Vocabulary, constraint: Constraint) -> None:
        self._vocabulary = vocabulary
        section = constraint.reasoning
        self._opening = (section.opening or "").encode() if section else b""
        self._closing = section.closing.encode() if section else b""
        self._budget = section.budget if section else None
        self._barred = frozenset() if constraint.kind is ConstraintKind.FREE else vocabulary.empty_ends
        self._closable = section is None or _closable(section.closing)
        self._spelled_opening = vocabulary.spelled(self._opening)
        self._spelled_closing = vocabulary.spelled(self._closing)
        self._grammar = _grammar(vocabulary, constraint)
        if self._grammar.is_error():
            raise ConstraintError(self.error)
        self._start()

    def copy(self) -> Matcher:
        """Returns a matcher of the same constraint that stands at its beginning: nothing is compiled again."""
        made = copy.copy(self)
        made._grammar = self._grammar.deep_copy()
        made._grammar.reset()
        made._start()
        return made

    def branch(self) -> Matcher:
        """Returns a matcher that stands where this one does, and goes on by itself. 30 µs behind 1,000 tokens."""
        made = copy.copy(self)
        made._grammar, made._tokens = self._grammar.deep_copy(), list(self._tokens)
        return made

    def _start(self) -> None:
        self._phase = Phase.MAYBE if self._opening else Phase.SECTION if self._closing else Phase.HELD
        self._tokens: list[int] = []
        self._begin = 0
        """Tokens before the section, or before the first that is the constrained part's for sure."""
        self._possible = True
        """Whether what came so far may be of the constrained part; the tokens of an opening may not."""
        self._limit = self._budget
        """Tokens of the section behind which its closing must come."""

    @property
    def stopped(self) -> bool:
        """Whether nothing but the end can follow."""
        return self._phase is Phase.HELD and self._grammar.is_stopped()

    @property
    def error(self) -> str:
        """Why the sequence can't go on; empty while it can."""
        return readable(str(self._grammar.get_error())) if self._grammar.is_error() else ""

    def mask_into(self, row: Mask) -> None:
        """Fills ``row`` (int32, contiguous, at least ``mask_words`` long) with one bit for each token that may come
        next: bit ``i % 32`` of word ``i // 32`` is token ``i``'s."""
        words = self._vocabulary.mask_words
        row[words:] = 0
        mask, others = row[:words], self._others()
        if self._phase is Phase.SECTION:
            mask[:] = 0 if others else ALL
            for token in self._barred:
                mask.view(np.uint32)[token // 32] &= ~np.uint32(1 << token % 32)
        elif self._possible:
            self._grammar.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes)
        else:
            mask[:] = 0
        bits = mask.view(np.uint32)
        for token in others:
            bits[token // 32] |= np.uint32(1 << token % 32)

    def allows(self, token: int) -> bool:
        """Tells whether ``token`` may come next: the mask's bit, at a hundredth of the mask's cost."""
        others = self._others()
        if token in others or self._phase is Phase.SECTION:
            return token in others or (not others and token not in self._barred)
        if self._grammar.is_stopped():
            return self._possible and token in self._vocabulary.ends
        return self._possible and self._grammar.validate_tokens([token]) == 1

    def forced(self) -> list[int]:
        """Returns the tokens that spell what must come next, as far as there is no choice; others may spell it, too.
        Takes up to 70 µs."""
        if self._phase is Phase.SECTION and self._limit is not None:
            spent = len(self._tokens) - self._begin - self._limit
            return self._spelled_closing[spent:] if spent >= 0 else []
        if self._phase is not Phase.HELD or self._grammar.is_stopped() or self._grammar.is_error():
            return []
        return list(self._grammar.compute_ff_tokens())

    def skip_section(self) -> None:
        """Stands where the constrained part begins, whatever may come before it."""
        self._phase, self._possible, self._begin = Phase.HELD, True, len(self._tokens)

    def refuse(self, token: int) -> bool:
        """Learns that the model would have had ``token``, which is not allowed; tells whether anything follows of that:
        an end within the section means that the section is over."""
        ends = self._phase is Phase.SECTION and token in self._barred and self._closable and self._limit is None
        if ends:
            self.end_section()
        return ends

    def end_section(self) -> None:
        """Has the section closed from here on."""
        if self._phase is Phase.SECTION and self._limit is None:
            self._limit = len(self._tokens) - self._begin

    def consume(self, token: int) -> bool:
        """Takes ``token`` as the next one; False where the grammar forbids it (``error`` then says so)."""
        self._tokens.append(token)
        match self._phase:
            case Phase.MAYBE:
                return self._perhaps_open(token)
            case Phase.SECTION:
                return self._perhaps_close()
            case Phase.BREAK if self._is_break(token):
                self._begin = len(self._tokens)
                return True
        self._phase = Phase.HELD
        return bool(self._grammar.consume_token(token))

    def _others(self) -> list[int]:
        """Returns the tokens that may come next besides those of the grammar; within the section, those that must."""
        at = len(self._tokens)
        match self._phase:
            case Phase.MAYBE if self._spelled_opening[:at] == self._tokens:
                return self._spelled_opening[at : at + 1]
            case Phase.SECTION if self._limit is not None:
                spent = at - self._begin - self._limit
                return self._spelled_closing[spent : spent + 1] if spent >= 0 else []
            case Phase.BREAK if not self._broken():
                return list(self._vocabulary.breaks)
        return []

    def _is_break(self, token: int) -> bool:
        """Tells whether ``token`` only separates the constrained part from the section."""
        return token in self._vocabulary.breaks and not self._grammar.validate_tokens([token])

    def _broken(self) -> bool:
        """Tells whether there is an empty line already."""
        return b"".join(map(self._vocabulary.token_bytes, self._tokens[-2:])).endswith(b"\n\n")

    def _perhaps_open(self, token: int) -> bool:
        text = b"".join(map(self._vocabulary.token_bytes, self._tokens))
        if text.startswith(self._opening):
            self._phase, self._begin = Phase.SECTION, len(self._tokens)
            self._grammar.reset()
            return True
        if self._opening.startswith(text):
            self._possible = self._possible and bool(self._grammar.validate_tokens([token]))
            return not self._possible or bool(self._grammar.consume_token(token))
        self._phase, self._begin = Phase.HELD, len(self._tokens) - 1
        return self._possible and bool(self._grammar.consume_token(token))

    def _perhaps_close(self) -> bool:
        rest = self._text_after()
        if rest is None:
            return True
        self._begin, self._possible = len(self._tokens), True
        # A token may hold the end of the reasoning and the beginning of the answer.
        self._phase = Phase.HELD if rest else Phase.BREAK
        return not rest.strip() or bool(self._grammar.consume_tokens(self._vocabulary.encode(rest.lstrip())))

    def _text_after(self) -> bytes | None:
        """Returns what the last token brought behind the section's end; None where that is still to come."""
        tail = b""
        for token in reversed(self._tokens[self._begin :]):
            tail = self._vocabulary.token_bytes(token) + tail
            if len(tail) >= len(self._closing) + len(self._vocabulary.token_bytes(self._tokens[-1])):
                break
        at = tail.rfind(self._closing)
        return tail[at + len(self._closing) :] if at >= 0 else None


def _closable(closing: str) -> bool:
    """Returns whether a section that ends so can be closed for the model: Harmony's ends as its answer begins."""
    # Chat families, which matchers without a section do without.
    from mlxr.models.chat.families.harmony import FINAL

    return closing != FINAL


def _grammar(vocabulary: Vocabulary, constraint: Constraint) -> Any:
    """llguidance's matcher, or what stands for it where everything is allowed."""
    if constraint.kind is ConstraintKind.FREE:
        return _Anything()
    from llguidance import LLMatcher, LLParserLimits

    limits = LLParserLimits(
        max_items_in_row=MOST_ITEMS,
        step_lexer_fuel=STEP_FUEL,
        max_lexer_states=MOST_LEXER_STATES,
        verbose_errors=False,
    )
    return LLMatcher(vocabulary.tokens, compile_grammar(constraint), log_level=0, limits=limits)


class _Anything:
    """The matcher of no grammar at all."""

    def is_error(self) -> bool:
        return False

    def is_stopped(self) -> bool:
        return False

    def consume_token(self, token: int) -> bool:
        return True

    def consume_tokens(self, tokens: list[int]) -> bool:
        return True

    def validate_tokens(self, tokens: list[int]) -> int:
        return len(tokens)

    def compute_ff_tokens(self) -> list[int]:
        return []

    def reset(self) -> None:
        """Nothing to forget."""

    def deep_copy(self) -> _Anything:
        return self

    def unsafe_compute_mask_ptr(self, address: int, size: int) -> None:
        ctypes.memset(address, 0xFF, size)

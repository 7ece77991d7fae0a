"""Constrained sequences of the executor: which tokens each may take next."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.sequences import Sequence
from mlxr.actors.executor.time_budget import TimeBudget
from mlxr.models.constraints import ConstraintError, Matcher, Vocabulary
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.tokenizers import load_directory, load_gguf
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo

WORD_BITS = 32
TOO_SLOW = "it takes too long to follow; make its grammar less ambiguous, and no rule empty that repeats"


def vocabulary_of(path: Path, size: int) -> Vocabulary:
    """Returns the vocabulary of a model's file or folder, with an output layer of ``size`` tokens."""
    tokenizer = load_gguf(GGUFFile.open(path).metadata) if holds_gguf(path) else load_directory(path)
    return Vocabulary(tokenizer, size)


@dataclass(slots=True, eq=False)
class TrackedMatcher:
    """A sequence's matcher, and what it has cost."""

    matcher: Matcher
    budget: TimeBudget = field(default_factory=TimeBudget)

    @property
    def over(self) -> bool:
        """Whether nothing is asked of it any more: its row's end is on its way."""
        return self.budget.exceeded or bool(self.matcher.error)


class MatcherValidator:
    """Says which tokens some rows may take next; a ``mlxr.metal.sampling.TokenValidator``. It asks each row's matcher
    where that stands at the time of the question."""

    def __init__(self, matchers: list[TrackedMatcher | None], vocab_size: int) -> None:
        self.matchers = matchers
        self._words = -(-vocab_size // WORD_BITS)

    def forbidden(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
        found: list[tuple[int, NDArray[np.int32]]] = []
        for row, (tracked, token) in enumerate(zip(self.matchers, tokens, strict=True)):
            # No token at all is a fault of the model's, which no mask mends.
            if tracked is None or token < 0 or tracked.over:
                continue
            with tracked.budget.measure():
                allowed = tracked.matcher.allows(token)
            if not allowed:
                tracked.matcher.refuse(token)
                found.append((row, self._mask(tracked)))
        return found

    def masks(self) -> NDArray[np.int32]:
        return np.stack([self._mask(tracked) for tracked in self.matchers])

    def _mask(self, tracked: TrackedMatcher | None) -> NDArray[np.int32]:
        bits = np.full(self._words, -1, np.int32)
        if tracked is not None and not tracked.over:
            with tracked.budget.measure():
                tracked.matcher.mask_into(bits)
        return bits


class ConstraintTable:
    """One matcher for each constrained sequence: copies of what ``compiler`` has compiled."""

    def __init__(self, compiler: Compiler, vocab_size: int) -> None:
        self._compiler = compiler
        self._vocab_size = vocab_size
        self._matchers: dict[int, TrackedMatcher] = {}
        self._errors: dict[int, ErrorInfo] = {}
        self._validator: MatcherValidator | None = None

    def open(self, sequence: Sequence) -> None:
        """Begins to follow a sequence; one that was computed before goes on where its output stands."""
        if sequence.constraint is None:
            return
        try:
            matcher = self._compiler.matcher(sequence.constraint)
        except ConstraintError as error:
            self._errors[sequence.id] = _refused(sequence.constraint, str(error))
            return
        tracked = TrackedMatcher(matcher)
        for token in sequence.tokens[sequence.prompt_length :]:
            if tracked.over:
                break
            with tracked.budget.measure(1):
                matcher.consume(token)
        self._matchers[sequence.id] = tracked

    def close(self, id: int) -> None:
        self._matchers.pop(id, None)
        self._errors.pop(id, None)

    def validator(self, rows: list[Sequence]) -> MatcherValidator | None:
        """Returns what the rows may take; None when no row is constrained, and the same object for the same rows."""
        matchers = [self._matchers.get(row.id) for row in rows]
        if not any(matchers):
            return None
        if self._validator is None or self._validator.matchers != matchers:
            self._validator = MatcherValidator(matchers, self._vocab_size)
        return self._validator

    def consume(self, sequence: Sequence, token: int) -> tuple[ErrorInfo | None, bool]:
        """Takes a sampled token in; returns an error if there is one, and whether nothing but the end can follow."""
        if error := self._errors.get(sequence.id):
            return error, False
        tracked = self._matchers.get(sequence.id)
        if tracked is None:
            return None, False
        matcher, constraint = tracked.matcher, sequence.constraint
        if tracked.budget.exceeded and constraint is not None:
            return _refused(constraint, TOO_SLOW), False
        with tracked.budget.measure(1):
            taken = matcher.consume(token)
        if not taken and matcher.error and constraint is not None:
            return _refused(constraint, matcher.error), False
        if not taken:
            return ErrorInfo(ErrorCode.INTERNAL, "the output left its format"), False
        return None, matcher.stopped


def _refused(constraint: Constraint, reason: str) -> ErrorInfo:
    """Returns what a request is told whose constraint became too much within the answer, or can't be had."""
    field = constraint.field or "tools"
    return ErrorInfo(ErrorCode.INVALID, f"the output can't be held to `{field}`: {reason}", constraint.field)

"""Constrained sequences of the executor: which tokens each may take next."""

from __future__ import annotations

from pathlib import Path

from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.sequences import Sequence
from mlxr.actors.executor.token_validator import NO_DRAFTS, Drafts, MatcherValidator, TrackedMatcher
from mlxr.models.constraints import ConstraintError, Vocabulary
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.tokenizers import load_directory, load_gguf
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo

TOO_SLOW = "it takes too long to follow; make its grammar less ambiguous, and no rule empty that repeats"


def vocabulary_of(path: Path, size: int) -> Vocabulary:
    """Returns the vocabulary of a model's file or folder, with an output layer of ``size`` tokens."""
    tokenizer = load_gguf(GGUFFile.open(path).metadata) if holds_gguf(path) else load_directory(path)
    return Vocabulary(tokenizer, size)


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
        for at, token in enumerate(sequence.tokens[sequence.prompt_length :]):
            if tracked.over:
                break
            if at == sequence.section_end:
                matcher.end_section()
            with tracked.budget.measure(1):
                matcher.consume(token)
        self._matchers[sequence.id] = tracked

    def close(self, id: int) -> None:
        self._matchers.pop(id, None)
        self._errors.pop(id, None)

    def validator(self, rows: list[Sequence], drafts: Drafts = NO_DRAFTS) -> MatcherValidator | None:
        """Returns what the rows may take; None when no row is constrained, and the same object for the same rows
        without drafts."""
        matchers = [self._matchers.get(row.id) for row in rows]
        if not any(matchers):
            return None
        if drafts:
            return MatcherValidator(matchers, self._vocab_size, drafts)
        if self._validator is None or self._validator.matchers != matchers:
            self._validator = MatcherValidator(matchers, self._vocab_size)
        return self._validator

    def reach(self, sequence: Sequence, row: int, validator: MatcherValidator) -> ErrorInfo | None:
        """Catches up with what was asked about a row behind a draft, now that ``sequence`` is there. Returns an error
        if it can't go on."""
        tracked, constraint = self._matchers.get(sequence.id), sequence.constraint
        if tracked is not None and row in validator.ended:
            tracked.matcher.end_section()
        if row in validator.errors and constraint is not None:
            return _refused(constraint, validator.errors[row])
        return None

    def foretold(self, sequence: Sequence) -> list[int]:
        """Returns the tokens that must follow those of ``sequence``, if there is news."""
        tracked = self._matchers.get(sequence.id)
        return tracked.foretold(sequence.tokens[-1]) if tracked is not None else []

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

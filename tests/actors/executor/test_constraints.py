"""A row whose grammar becomes too much fails alone."""

from __future__ import annotations

import math
import re

import pytest

from mlxr.actors.executor import time_budget
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.sequences import Sequence
from mlxr.models.constraints import Vocabulary
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, ErrorInfo, ReasoningSection, Sampling
from tests.models.constraints.vocabulary import ByteTokenizer

STARTS = " | ".join(f"r{i}" for i in range(2_600))


TOO_MUCH = f"start: {STARTS}\n" + "".join(f'r{i}: ("a" | "a" "b" | "a" "c" | "a" "d") "e{i}"\n' for i in range(2_600))


def test_a_row_whose_grammar_becomes_too_much_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine its lexer may be too slow before it is too large.
    monkeypatch.setattr(time_budget, "MOST_SECONDS", math.inf)
    monkeypatch.setattr(time_budget, "FREE_SECONDS", math.inf)
    compiler = Compiler(lambda: Vocabulary(ByteTokenizer(), 257))
    compiler.start()
    table = ConstraintTable(compiler, 257)
    sources = (Constraint(ConstraintKind.LARK, TOO_MUCH, field="grammar"), Constraint(ConstraintKind.REGEX, "abc"))
    rows = [Sequence(id, Sampling(), [1], 1, constraint, True) for id, constraint in enumerate(sources)]
    for row in rows:
        table.open(row)
    validator = table.validator(rows)
    assert validator is not None
    refused = validator.forbidden([ord("z"), ord("z")])
    assert [row for row, _ in refused] == [0, 1]
    outcomes = [table.consume(row, ord("a")) for row in rows]
    validator.forbidden([ord("b"), ord("b")])
    outcomes = [table.consume(row, ord("b")) for row in rows]
    compiler.stop()
    error = outcomes[0][0]
    assert error is not None
    assert (error.code, error.param) == (ErrorCode.INVALID, "grammar")
    assert re.fullmatch(r"the output can't be held to `grammar`: it is too complex: [0-9]+ items [^<>]*", error.message)
    assert outcomes[1] == (None, False)


AMBIGUOUS = 'start: s\ns: s s | "a" | "b" | " " | s s s | \n'


def test_a_row_whose_grammar_takes_ever_longer_is_ended_before_its_text_is() -> None:
    """The parser's work grows with the text by more than its square; the row beside it goes on."""
    compiler = Compiler(lambda: Vocabulary(ByteTokenizer(), 257))
    compiler.start()
    table = ConstraintTable(compiler, 257)
    sources = (Constraint(ConstraintKind.LARK, AMBIGUOUS), Constraint(ConstraintKind.REGEX, "[ab]*"))
    rows = [Sequence(id, Sampling(), [1], 1, constraint, True) for id, constraint in enumerate(sources)]
    for row in rows:
        table.open(row)
    validator = table.validator(rows)
    assert validator is not None
    failed: ErrorInfo | None = None
    for number in range(2000):
        assert all(row != 1 for row, _ in validator.forbidden([ord("a"), ord("a")]))
        failed, _ = table.consume(rows[0], ord("a")) if failed is None else (failed, False)
        assert table.consume(rows[1], ord("a")) == (None, False)
        if failed and number > 200:
            break
    compiler.stop()
    assert failed is not None
    assert failed.code is ErrorCode.INVALID
    assert "takes too long to follow" in failed.message


def test_a_closing_that_was_begun_is_gone_on_with_after_the_executor_was_lost() -> None:
    """That the model would have ended there does not show in its tokens."""
    compiler = Compiler(lambda: Vocabulary(ByteTokenizer(), 257))
    compiler.start()
    constraint = Constraint(ConstraintKind.REGEX, "a", ReasoningSection("</think>"))
    allowed = {}
    for end in (None, 1):
        table = ConstraintTable(compiler, 257)
        row = Sequence(1, Sampling(), [7, *b"x</"], 1, constraint, True, section_end=end)
        table.open(row)
        validator = table.validator([row])
        assert validator is not None
        allowed[end] = [token for token in b"tz" if not validator.forbidden([token])]
    compiler.stop()
    assert allowed == {None: list(b"tz"), 1: list(b"t")}

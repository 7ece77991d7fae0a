"""A row whose grammar becomes too much fails alone."""

from __future__ import annotations

from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.sequences import Sequence
from mlxr.models.constraints import Vocabulary
from mlxr.runtime.messages.common import Constraint, ConstraintKind, Sampling
from tests.models.constraints.vocabulary import ByteTokenizer

STARTS = " | ".join(f"r{i}" for i in range(2_100))
TOO_MUCH = f"start: {STARTS}\n" + "".join(f'r{i}: "a" /[b-d]{{1,9}}{i}/\n' for i in range(2_100))


def test_a_row_whose_grammar_becomes_too_much_fails_alone() -> None:
    compiler = Compiler(lambda: Vocabulary(ByteTokenizer(), 257))
    compiler.start()
    table = ConstraintTable(compiler, 257)
    sources = (Constraint(ConstraintKind.LARK, TOO_MUCH), Constraint(ConstraintKind.REGEX, "abc"))
    rows = [Sequence(id, Sampling(), [1], 1, constraint, True) for id, constraint in enumerate(sources)]
    for row in rows:
        table.open(row)
    rules = table.rules(rows)
    assert rules is not None
    refused = rules([ord("z"), ord("z")])
    assert [row for row, _ in refused] == [0, 1]
    outcomes = [table.consume(row, ord("a")) for row in rows]
    rules([ord("b"), ord("b")])
    outcomes = [table.consume(row, ord("b")) for row in rows]
    compiler.stop()
    assert "left its format" in (outcomes[0][0] or "")
    assert outcomes[1] == (None, False)

"""What constrained rows may take behind a draft."""

from __future__ import annotations

import pytest

from mlxr.actors.executor.token_validator import MatcherValidator, TrackedMatcher
from mlxr.models.constraints import Matcher, Vocabulary
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ReasoningSection
from tests.models.constraints.vocabulary import END, ByteTokenizer

VOCABULARY = Vocabulary(ByteTokenizer(), 257)
ABC_OR_ABD = Constraint(ConstraintKind.REGEX, "ab(c|d)e")
A, B, C, D, E, Z = b"abcdez"


def tracked(constraint: Constraint = ABC_OR_ABD) -> TrackedMatcher:
    return TrackedMatcher(Matcher(VOCABULARY, constraint))


def allowed(mask: object) -> set[int]:
    return {token for token in range(257) if mask[token // 32] >> token % 32 & 1}  # type: ignore[index]


def test_each_position_is_asked_about_as_if_the_draft_were_right_up_to_there() -> None:
    matcher = tracked()
    validator = MatcherValidator([matcher] * 3, 257, {0: [A, B]})
    found = validator.forbidden([A, B, Z])
    assert [(row, allowed(mask)) for row, mask in found] == [(2, {C, D})]
    assert [allowed(mask) for mask in validator.masks()] == [{A}, {B}, {C, D}]


def test_the_sequence_itself_stays_where_it_is() -> None:
    matcher = tracked()
    MatcherValidator([matcher] * 3, 257, {0: [A, B]}).forbidden([A, B, C])
    assert matcher.matcher.allows(A)
    assert not matcher.matcher.allows(B)


def test_a_forbidden_token_is_drawn_again_and_may_then_be_the_drafted_one() -> None:
    found = MatcherValidator([tracked()] * 3, 257, {0: [A, B]}).forbidden([Z, Z, Z])
    assert [(row, allowed(mask)) for row, mask in found] == [(0, {A}), (1, {B}), (2, {C, D})]


@pytest.mark.parametrize("drawn", [[D, Z, Z], [A, Z, Z]])
def test_positions_that_are_not_reached_are_not_asked_about(drawn: list[int]) -> None:
    """The draft is wrong by what was drawn, or can't be right by the grammar."""
    branching = Constraint(ConstraintKind.REGEX, "(a|d)(b|c)e")
    found = MatcherValidator([tracked(branching)] * 3, 257, {0: [A, D]}).forbidden(drawn)
    assert {row for row, _ in found} <= {1}


def test_rows_beside_a_draft_are_asked_about_as_ever() -> None:
    rows = [None, *[tracked()] * 2, tracked()]
    found = MatcherValidator(rows, 257, {1: [A]}).forbidden([Z, A, Z, Z])
    assert [(row, allowed(mask)) for row, mask in found] == [(2, {B}), (3, {A})]


def test_what_ends_the_reasoning_behind_a_draft_is_kept_until_it_is_reached() -> None:
    section = ReasoningSection("</think>")
    matcher = tracked(Constraint(ConstraintKind.REGEX, "a", section))
    validator = MatcherValidator([matcher] * 2, 257, {0: [Z]})
    (row, mask), *others = validator.forbidden([Z, END])
    assert (row, allowed(mask), others) == (1, {ord("<")}, [])
    assert validator.ended == {1}
    assert matcher.matcher.allows(Z), "the sequence is not there yet"


def test_what_is_forced_is_told_once_and_again_where_it_is_spelled_otherwise() -> None:
    follower = tracked(Constraint(ConstraintKind.REGEX, "(x|y)abcde(f|g)"))
    told = []
    for token in b"xabcde":
        follower.matcher.consume(token)
        told.append(bytes(follower.foretold(token)))
    assert told == [b"abcde", b"", b"", b"", b"", b""]

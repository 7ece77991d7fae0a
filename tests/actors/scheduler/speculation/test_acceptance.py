from __future__ import annotations

import pytest

from mlxr.actors.scheduler.speculation.acceptance import Acceptance, class_of
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part

LOOKUP = DraftKind.LOOKUP


def test_longer_matches_are_trusted_more() -> None:
    rates = [Acceptance().rate(1, LOOKUP, class_of(length)) for length in (1, 3, 6, 12, 20, 32)]
    assert rates == sorted(set(rates))


def test_a_token_is_less_likely_than_those_before_it() -> None:
    survival = Acceptance().survival(1, [Part(Origin(LOOKUP, 4), 20)], 0.0)
    assert len(survival) == 20
    assert survival == sorted(survival, reverse=True)


def test_nothing_is_said_of_tokens_that_are_too_unlikely() -> None:
    survival = Acceptance().survival(1, [Part(Origin(LOOKUP, 3), 20)], 0.1)
    assert 0 < len(survival) < 20
    assert survival[-1] >= 0.1


def test_a_sequence_whose_drafts_are_wrong_is_trusted_less_and_others_hardly_less() -> None:
    acceptance, parts = Acceptance(), [Part(Origin(LOOKUP, 5), 4)]
    before = acceptance.survival(1, parts, 0.0)[0]
    for _ in range(10):
        acceptance.add(1, parts, 4, 0)
    assert acceptance.survival(1, parts, 0.0)[0] < before / 2
    assert acceptance.survival(2, parts, 0.0)[0] > acceptance.survival(1, parts, 0.0)[0]
    acceptance.forget(1)
    assert acceptance.survival(1, parts, 0.0) == acceptance.survival(2, parts, 0.0)


def test_what_a_wrong_token_left_untested_counts_for_nothing() -> None:
    acceptance = Acceptance()
    parts = [Part(Origin(DraftKind.GRAMMAR), 2), Part(Origin(LOOKUP, 20), 10)]
    before = acceptance.rate(1, LOOKUP, class_of(20))
    acceptance.add(1, parts, 12, 1)
    assert acceptance.rate(1, LOOKUP, class_of(20)) == before
    acceptance.add(1, parts, 12, 2)
    assert acceptance.rate(1, LOOKUP, class_of(20)) < before


@pytest.mark.parametrize(("right", "expected"), [(1, 0.97), (0, 0.03)])
def test_what_a_sequence_shows_is_learned_within_some_tokens(right: int, expected: float) -> None:
    acceptance, parts = Acceptance(), [Part(Origin(DraftKind.DRAFT_MODEL), 1)]
    for _ in range(300):
        acceptance.add(1, parts, 1, right)
    assert acceptance.survival(1, parts, 0.0)[0] == pytest.approx(expected, abs=0.03)

from __future__ import annotations

import pytest

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation.engine import JoinedDrafter
from mlxr.actors.scheduler.speculation.origins import DraftKind
from mlxr.actors.scheduler.speculation_section import SpeculationSection
from mlxr.actors.scheduler.submission import open_request
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds

RECORD = [1, 2, 3, 50, 51, 52, 9, 60, 61]
"""Names, which a grammar forces, and values: 9, 60 and 61."""


def running(drafter: JoinedDrafter, prompt: list[int], most_drafted: int | None = None) -> Sequence:
    submit = Submit(1, TokenIds.of(prompt), max_tokens=100, client="anna", most_drafted=most_drafted)
    sequence = open_request(submit, 1).sequences[0]
    drafter.opened(sequence)
    return sequence


def says(drafter: JoinedDrafter, sequence: Sequence, *tokens: int) -> None:
    for token in tokens:
        sequence.output.append(token)
        drafter.accepted(sequence, [token])


def kinds(drafter: JoinedDrafter, sequence: Sequence) -> list[tuple[DraftKind, int]]:
    return [(part.origin.kind, part.tokens) for part in drafter.parts(sequence)]


def test_what_is_forced_comes_first_and_what_followed_it_before_comes_behind() -> None:
    drafter = JoinedDrafter(SpeculationSection())
    sequence = running(drafter, [*RECORD, 7, 7, 8])
    drafter.propose(sequence, 9)
    drafter.forced(sequence, RECORD[:6])
    assert drafter.propose(sequence, 8) == RECORD[:8]
    assert kinds(drafter, sequence) == [(DraftKind.GRAMMAR, 6), (DraftKind.LOOKUP, 2)]


def lengths(drafter: JoinedDrafter, sequence: Sequence) -> list[int]:
    return [part.origin.length for part in drafter.parts(sequence)]


def test_that_a_grammar_repeats_its_names_says_nothing_of_the_values_behind_them() -> None:
    drafter = JoinedDrafter(SpeculationSection())
    sequence = running(drafter, [*range(100, 120), *RECORD, 7, 7, 8])
    drafter.propose(sequence, 9)
    drafter.forced(sequence, RECORD[:6])
    drafter.propose(sequence, 8)
    assert lengths(drafter, sequence) == [0, 1]
    says(drafter, sequence, *RECORD[:6])
    assert drafter.propose(sequence, 2) == RECORD[6:8]
    assert lengths(drafter, sequence) == [1]
    says(drafter, sequence, 9)
    drafter.propose(sequence, 2)
    assert lengths(drafter, sequence) == [1]
    says(drafter, sequence, 60, 61)
    drafter.propose(sequence, 2)
    assert lengths(drafter, sequence) == [3]


def test_what_is_forced_is_proposed_until_it_has_come_or_something_else_has() -> None:
    drafter = JoinedDrafter(SpeculationSection(lookup=False))
    sequence = running(drafter, [5, 6])
    drafter.forced(sequence, [1, 2, 3, 4])
    says(drafter, sequence, 1, 2)
    assert drafter.propose(sequence, 9) == [3, 4]
    says(drafter, sequence, 8)
    assert drafter.propose(sequence, 9) == []


def test_a_text_that_is_followed_goes_on_behind_what_is_forced() -> None:
    drafter = JoinedDrafter(SpeculationSection())
    sequence = running(drafter, [*range(100, 120), 7, 7])
    says(drafter, sequence, 100, 101, 102)
    drafter.forced(sequence, [103, 104])
    assert drafter.propose(sequence, 5) == [103, 104, 105, 106, 107]


@pytest.mark.parametrize("off", ["lookup", "grammar", "shared"])
def test_each_kind_of_draft_can_be_turned_off(off: str) -> None:
    drafter = JoinedDrafter(SpeculationSection(**{off: False}))
    first = running(drafter, [*range(200, 230)])
    says(drafter, first, 1)
    drafter.closed(first)
    sequence = running(drafter, [*range(100, 120), 7, 7])
    says(drafter, sequence, 100, 101, 102)
    assert bool(drafter.propose(sequence, 2)) == (off != "lookup")
    says(drafter, sequence, 7, 200, 201, 202)
    assert bool(drafter.propose(sequence, 2)) == (off == "grammar")
    says(drafter, sequence, 8, 8, 7)
    drafter.forced(sequence, [3, 4])
    assert bool(drafter.propose(sequence, 2)) == (off != "grammar")


def test_a_request_has_no_longer_drafts_than_it_asks_for() -> None:
    drafter = JoinedDrafter(SpeculationSection())
    sequence = running(drafter, [*range(100, 120), 7, 7], most_drafted=3)
    says(drafter, sequence, 100, 101, 102)
    assert drafter.propose(sequence, 9) == [103, 104, 105]
    sequence.in_flight = 2
    assert drafter.propose(sequence, 9) == [103, 104, 105, 106, 107]


def test_nothing_is_kept_of_a_sequence_that_has_ended() -> None:
    drafter = JoinedDrafter(SpeculationSection(shared=False))
    sequence = running(drafter, [*range(100, 120), 100, 101, 102])
    drafter.forced(sequence, [103])
    assert drafter.propose(sequence, 2)
    drafter.closed(sequence)
    assert drafter.propose(sequence, 2) == []

from __future__ import annotations

import random

import pytest

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation.client_texts import ClientTexts
from mlxr.actors.scheduler.speculation.lookup import LookupDrafter
from mlxr.actors.scheduler.speculation.origins import DraftKind
from mlxr.actors.scheduler.submission import open_request
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds

TEXT = list(range(100, 140))


def running(
    drafter: LookupDrafter,
    prompt: list[int],
    id: int = 1,
    client: str | None = "anna",
    prediction: list[int] | None = None,
    max_tokens: int = 100,
) -> Sequence:
    """A sequence that has begun to run."""
    foretold = TokenIds.of(prediction or [])
    submit = Submit(id, TokenIds.of(prompt), max_tokens=max_tokens, client=client, prediction=foretold)
    sequence = open_request(submit, id).sequences[0]
    drafter.opened(sequence)
    return sequence


def says(drafter: LookupDrafter, sequence: Sequence, *tokens: int) -> None:
    for token in tokens:
        sequence.output.append(token)
        drafter.accepted(sequence, [token])


def test_what_followed_the_last_tokens_before_is_proposed() -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, [*TEXT, 7, 8, 9])
    assert drafter.propose(sequence, 4) == []
    says(drafter, sequence, 110, 111, 112)
    assert drafter.propose(sequence, 4) == [113, 114, 115, 116]


def test_a_draft_goes_on_as_the_text_does_there_and_ends_with_the_first_other_token() -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, TEXT)
    says(drafter, sequence, 110, 111, 112)
    drafter.propose(sequence, 4)
    says(drafter, sequence, 113, 114)
    assert drafter.propose(sequence, 2) == [115, 116]
    [part] = drafter.parts(sequence, 2)
    assert part.origin.length == 5
    says(drafter, sequence, 55)
    assert drafter.propose(sequence, 2) == []


def test_a_longer_match_takes_the_place_of_a_later_one() -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, [*TEXT[:20], 1, 117, 118, 119, 2])
    says(drafter, sequence, *TEXT[2:20])
    assert drafter.propose(sequence, 1) == [1]


def test_a_text_that_repeats_itself_is_proposed_for_as_long_as_is_asked() -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, [5, 6, 7, 5, 6, 7, 5, 6])
    assert drafter.propose(sequence, 10) == [7, 5, 6, 7, 5, 6, 7, 5, 6, 7]


def test_what_another_request_of_the_client_said_is_proposed() -> None:
    drafter = LookupDrafter(ClientTexts())
    first = running(drafter, [1, 2, 3])
    says(drafter, first, *TEXT)
    drafter.closed(first)
    second = running(drafter, [4, 5, 6], id=2)
    says(drafter, second, *TEXT[:4])
    assert drafter.propose(second, 3) == TEXT[4:7]
    assert drafter.parts(second, 3)[0].origin.kind is DraftKind.SHARED
    # Nothing is beyond its end.
    says(drafter, second, *TEXT[4:38])
    assert drafter.propose(second, 9) == TEXT[38:]


def test_what_another_client_said_is_never_proposed() -> None:
    drafter = LookupDrafter(ClientTexts())
    for id, client in enumerate(("anna", None), 1):
        sequence = running(drafter, [*TEXT, 1, 2, 3], id, client)
        drafter.closed(sequence)
    for id, client in enumerate(("berta", None), 3):
        sequence = running(drafter, [9, 9, 9], id, client)
        says(drafter, sequence, *TEXT[:30])
        assert drafter.propose(sequence, 5) == []


def test_a_prediction_is_proposed_from_its_beginning_and_found_again_behind_an_edit() -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, [1, 2, 3], prediction=TEXT)
    assert drafter.propose(sequence, 3) == TEXT[:3]
    assert drafter.parts(sequence, 3)[0].origin.kind is DraftKind.PREDICTION
    says(drafter, sequence, *TEXT[:5], 77)
    assert drafter.propose(sequence, 3) == []
    says(drafter, sequence, *TEXT[6:9])
    assert drafter.propose(sequence, 3) == TEXT[9:12]


@pytest.mark.parametrize(
    "edit", [[77, 118], [77, 119], [121], [77, 78, 79, 121]], ids=["inserted", "another", "deleted", "longer"]
)
def test_the_first_token_near_the_place_that_an_edit_has_left_leads_back(edit: list[int]) -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, [*TEXT, 7, 8, 9])
    says(drafter, sequence, *TEXT[:18])
    assert drafter.propose(sequence, 2) == TEXT[18:20]
    says(drafter, sequence, *edit)
    at = TEXT.index(edit[-1]) + 1
    assert sequence.id in drafter.hopeful
    assert drafter.propose(sequence, 4) == TEXT[at : at + 4]
    says(drafter, sequence, *TEXT[at : at + 9])
    assert drafter.propose(sequence, 4) == TEXT[at + 9 : at + 13]


def test_a_place_is_given_up_where_the_text_goes_on_otherwise_or_was_never_sure_of_it() -> None:
    drafter = LookupDrafter(None)
    sequence = running(drafter, [*TEXT, 7, 8, 9])
    says(drafter, sequence, *TEXT[:18], *range(50, 57), TEXT[19])
    assert drafter.propose(sequence, 4) == []
    says(drafter, sequence, 3, *TEXT[:4])
    assert drafter.propose(sequence, 1) == [TEXT[4]]
    says(drafter, sequence, 4, TEXT[5])
    assert drafter.propose(sequence, 4) == []


def test_a_token_that_has_just_come_leads_nowhere_however_near_it_is() -> None:
    drafter, period = LookupDrafter(None), list(range(10, 16))
    sequence = running(drafter, period * 2)
    says(drafter, sequence, *period)
    assert drafter.propose(sequence, 1) == [10]
    says(drafter, sequence, 99, *period[:3])
    assert drafter.propose(sequence, 2) == [13, 14]


def test_nothing_is_kept_of_a_request_too_short_to_gain() -> None:
    drafter = LookupDrafter(ClientTexts())
    sequence = running(drafter, TEXT + TEXT, max_tokens=4)
    assert drafter.propose(sequence, 3) == []
    drafter.accepted(sequence, [1])
    drafter.closed(sequence)


def test_of_a_client_a_bounded_part_is_kept_the_latest() -> None:
    texts = ClientTexts(client_tokens=1_000, clients=2)
    drafter = LookupDrafter(texts)
    for id in range(30):
        drafter.closed(running(drafter, list(range(id * 100, id * 100 + 90)), id))
    assert sum(len(text) for text in texts.of("anna")) <= 1_000
    sequence = running(drafter, [5, *range(2_900, 2_905)], 31)
    assert drafter.propose(sequence, 2) == [2_905, 2_906]
    for client in ("berta", "clara"):
        drafter.closed(running(drafter, TEXT, 50, client))
    assert texts.of("anna") == []


def test_a_long_prompt_is_indexed_while_its_answer_is_written() -> None:
    drafter = LookupDrafter(None)
    prompt = list(range(100_000))
    sequence = running(drafter, prompt)
    says(drafter, sequence, 90_000, 90_001, 90_002)
    answers = [drafter.propose(sequence, 1) for _ in range(2)]
    assert answers == [[], []]
    for token in range(90_003, 90_020):
        says(drafter, sequence, token)
        answers.append(drafter.propose(sequence, 1))
    assert answers[-1] == [90_020]


def test_there_is_hope_for_whoever_repeats_three_tokens_and_for_nobody_else() -> None:
    choose = random.Random(3)
    drafter, text = LookupDrafter(None), [choose.randrange(12) for _ in range(8)]
    # Their places are far apart in so large a table: none is forgotten for another.
    sequence = running(drafter, text, max_tokens=4_000)
    drafter.propose(sequence, 1)
    for _ in range(300):
        token = choose.randrange(12)
        text.append(token)
        says(drafter, sequence, token)
        known = any(text[at : at + 3] == text[-3:] for at in range(len(text) - 3))
        assert known == (sequence.id in drafter.hopeful) == bool(drafter.propose(sequence, 1))


def test_there_is_hope_while_a_clients_texts_are_indexed_and_where_they_say_the_same() -> None:
    drafter = LookupDrafter(ClientTexts())
    drafter.closed(running(drafter, TEXT))
    second = running(drafter, [4, 5, 6], id=2)
    says(drafter, second, 7)
    assert second.id in drafter.hopeful
    assert drafter.propose(second, 1) == []
    says(drafter, second, 8)
    assert second.id not in drafter.hopeful
    says(drafter, second, *TEXT[:3])
    assert second.id in drafter.hopeful
    says(drafter, second, 9, 9)
    assert second.id not in drafter.hopeful
    drafter.closed(second)
    assert not drafter.hopeful

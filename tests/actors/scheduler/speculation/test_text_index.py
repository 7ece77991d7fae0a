from __future__ import annotations

import random
from array import array

import pytest

from mlxr.actors.scheduler.speculation.text_index import COUNTED, SHORTEST, Match, TextIndex, hashes_of


def packed(tokens: list[int]) -> bytes:
    return array("i", tokens).tobytes()


def indexed(tokens: list[int], slice: int = 1_000) -> TextIndex:
    index = TextIndex(packed(tokens))
    while not index.ready:
        index.index_some(slice)
    return index


def appended(tokens: list[int]) -> TextIndex:
    index = TextIndex()
    for token in tokens:
        index.append(token)
    return index


def found_in(index: TextIndex, tail: array[int]) -> Match | None:
    return index.find(tail, hashes_of(tail))


def longest(tokens: list[int], tail: list[int]) -> int:
    """How many of the last tokens of ``tail`` stand anywhere in ``tokens`` with something behind them."""
    best = 0
    for end in range(1, len(tokens)):
        length = 0
        while length < min(end, len(tail)) and tokens[end - length - 1] == tail[-length - 1]:
            length += 1
        best = max(best, length)
    return best


@pytest.mark.parametrize("made", [indexed, appended])
def test_what_stands_in_a_text_is_found_with_what_followed_it(made: type) -> None:
    choose = random.Random(7)
    tokens = [choose.randrange(50_000) for _ in range(3_000)]
    index = made(tokens)
    ends = [choose.randrange(SHORTEST, 2_999) for _ in range(200)]
    matches = [found_in(index, array("i", tokens[max(0, end - COUNTED) : end])) for end in ends]
    found = [(match.position, match.length) for match in matches if match is not None]
    assert set(found) <= {(end, min(end, COUNTED)) for end in ends}
    # Few are forgotten for others that have the same place in every table.
    assert len(found) >= 190


@pytest.mark.parametrize("made", [indexed, appended])
def test_no_match_is_claimed_that_is_none_nor_longer_than_it_is(made: type) -> None:
    choose = random.Random(8)
    for _ in range(100):
        tokens = [choose.randrange(4) for _ in range(choose.randrange(60))]
        tail = [choose.randrange(4) for _ in range(choose.randrange(COUNTED))]
        match = found_in(made(tokens), array("i", tail))
        if match is None:
            continue
        assert match.position < len(tokens)
        assert tail[-match.length :] == tokens[match.position - match.length : match.position]
        assert SHORTEST <= match.length <= longest(tokens, tail)


def test_the_latest_place_counts() -> None:
    index = indexed([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3])
    match = found_in(index, array("i", [1, 2, 3]))
    assert match is not None
    assert index.tokens[match.position] == 5


@pytest.mark.parametrize("slice", [1, 5, 12, 13, 100])
def test_slices_find_what_the_whole_would(slice: int) -> None:
    choose = random.Random(9)
    tokens = [choose.randrange(6) for _ in range(700)]
    whole, sliced = indexed(tokens, 10_000), indexed(tokens, slice)
    for _ in range(100):
        tail = array("i", [choose.randrange(6) for _ in range(13)])
        assert found_in(whole, tail) == found_in(sliced, tail)


def test_a_text_grows_far_beyond_the_room_that_it_had() -> None:
    choose = random.Random(10)
    tokens = [choose.randrange(50_000) for _ in range(5_000)]
    index = appended(tokens)
    index.extend(packed(tokens[:20]))
    index.index_some()
    matches = [found_in(index, array("i", tokens[at : at + 12])) for at in range(0, 4_900, 10)]
    found = [match.position for match in matches if match is not None]
    assert set(found) <= {*range(22, 4_912, 10), 5_012}
    assert len(found) >= 460


@pytest.mark.parametrize("made", [indexed, appended])
def test_the_hashes_of_a_texts_end_are_those_of_its_last_tokens(made: type) -> None:
    choose = random.Random(11)
    tokens = [choose.randrange(50_000) for _ in range(600)]
    for length in (0, 2, 3, 7, 12, 300, 600):
        index = made(tokens[:length])
        assert index.end() == hashes_of(index.tokens)
        index.append(5)
        assert index.end() == hashes_of(index.tokens)

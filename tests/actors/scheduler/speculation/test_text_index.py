from __future__ import annotations

import random
from array import array

import pytest

from mlxr.actors.scheduler.speculation.text_index import COUNTED, SHORTEST, TextIndex


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
    matches = [index.find(array("i", tokens[max(0, end - COUNTED) : end])) for end in ends]
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
        match = made(tokens).find(array("i", tail))
        if match is None:
            continue
        assert match.position < len(tokens)
        assert tail[-match.length :] == tokens[match.position - match.length : match.position]
        assert SHORTEST <= match.length <= longest(tokens, tail)


def test_the_latest_place_counts() -> None:
    index = indexed([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3])
    match = index.find(array("i", [1, 2, 3]))
    assert match is not None
    assert index.tokens[match.position] == 5


@pytest.mark.parametrize("slice", [1, 5, 12, 13, 100])
def test_slices_find_what_the_whole_would(slice: int) -> None:
    choose = random.Random(9)
    tokens = [choose.randrange(6) for _ in range(700)]
    whole, sliced = indexed(tokens, 10_000), indexed(tokens, slice)
    for _ in range(100):
        tail = array("i", [choose.randrange(6) for _ in range(13)])
        assert whole.find(tail) == sliced.find(tail)


def test_a_text_grows_far_beyond_the_room_that_it_had() -> None:
    choose = random.Random(10)
    tokens = [choose.randrange(50_000) for _ in range(5_000)]
    index = appended(tokens)
    index.extend(packed(tokens[:20]))
    index.index_some()
    matches = [index.find(array("i", tokens[at : at + 12])) for at in range(0, 4_900, 10)]
    found = [match.position for match in matches if match is not None]
    assert set(found) <= {*range(22, 4_912, 10), 5_012}
    assert len(found) >= 460

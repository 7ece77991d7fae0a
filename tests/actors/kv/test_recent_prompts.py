"""Why a prompt has no more in the pool than it has."""

from __future__ import annotations

from mlxr.actors.kv.recent_prompts import MOST_PROMPTS, Eviction, RecentPrompts
from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss
from mlxr.runtime.messages.token_ids import TokenIds


def ids(*runs: tuple[int, int]) -> TokenIds:
    """``count`` times each ``token``, run by run."""
    return TokenIds.of([token for count, token in runs for _ in range(count)])


def miss(
    recent: RecentPrompts,
    tokens: TokenIds,
    found: int,
    adapters: str = "",
    reuse: bool = True,
    evicted: Eviction | None = None,
) -> PrefixMiss | None:
    return recent.miss(tokens, adapters, found, 4, reuse, evicted, 100.0)


def seen(*tokens: TokenIds, adapters: str = "") -> RecentPrompts:
    recent = RecentPrompts()
    for number, each in enumerate(tokens):
        recent.note(number, each, adapters)
    return recent


def test_a_first_prompt_and_one_that_goes_on_miss_nothing() -> None:
    assert miss(RecentPrompts(), ids((20, 1)), 0) is None
    assert miss(seen(ids((20, 1))), ids((20, 1), (9, 2)), 20) is None
    assert miss(seen(ids((20, 1))), ids((20, 1)), 16) is None
    assert miss(seen(ids((20, 3))), ids((20, 1)), 0) is None


def test_the_first_token_that_differs_is_told_of_the_prompt_that_is_most_alike() -> None:
    recent = seen(ids((10, 1), (10, 2)), ids((4, 1), (10, 3)))
    assert miss(recent, ids((10, 1), (10, 4)), 8) == PrefixMiss(MissKind.DIFFERS, 10, 20)


def test_pages_that_were_evicted_are_told_with_when_and_for_whom() -> None:
    told = miss(seen(ids((20, 1))), ids((20, 1), (9, 2)), 8, evicted=Eviction(88.0, 7))
    assert told == PrefixMiss(MissKind.EVICTED, 12, 29, 12.0, 7)


def test_other_adapters_a_lost_pool_and_reuse_that_is_off_are_told_apart() -> None:
    prompt = ids((20, 1), (9, 2))
    assert miss(seen(ids((20, 1)), adapters="a"), prompt, 0) == PrefixMiss(MissKind.ADAPTERS, 20, 29)
    assert miss(seen(ids((20, 1))), prompt, 0, reuse=False) == PrefixMiss(MissKind.OFF, 20, 29)
    recent = seen(ids((20, 1)))
    recent.pool += 1
    assert miss(recent, prompt, 0) == PrefixMiss(MissKind.RESTARTED, 20, 29)
    assert miss(seen(ids((20, 1))), prompt, 0) == PrefixMiss(MissKind.NOT_KEPT, 20, 29)


def test_what_fills_no_page_is_too_short() -> None:
    assert miss(seen(ids((3, 1), (9, 2))), ids((3, 1), (1, 3)), 0) == PrefixMiss(MissKind.SHORT, 3, 4)
    assert miss(seen(ids((3, 1), (9, 2))), ids((3, 1), (9, 3)), 0) == PrefixMiss(MissKind.DIFFERS, 3, 12)


def test_what_is_remembered_is_bounded_and_an_answer_belongs_to_its_prompt() -> None:
    recent = seen(*(ids((8, 1), (8, number + 2)) for number in range(MOST_PROMPTS + 5)))
    assert miss(recent, ids((8, 1), (8, 2), (2, 1)), 8) == PrefixMiss(MissKind.DIFFERS, 8, 18)
    recent.note(70, ids((8, 5)), "")
    recent.note(70, ids((8, 5), (8, 6)))
    assert miss(recent, ids((8, 5), (8, 6), (4, 7)), 8) == PrefixMiss(MissKind.NOT_KEPT, 8, 20)
    recent.note(99_999, ids((8, 9)))
    assert miss(recent, ids((8, 9), (8, 6)), 0) is None

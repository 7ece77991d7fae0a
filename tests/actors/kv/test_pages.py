"""Physical pages and their content addresses."""

from __future__ import annotations

import pytest

from mlxr.actors.kv.pages import PagePool


def test_pages_are_held_until_the_last_reference_goes() -> None:
    pool = PagePool(2)
    page = pool.allocate()
    assert page is not None
    pool.retain(page)
    pool.release(page)
    assert pool.held == 1
    pool.release(page)
    assert (pool.held, pool.available) == (0, 2)


def test_none_is_left_when_all_are_held() -> None:
    pool = PagePool(1)
    assert pool.allocate() is not None
    assert pool.allocate() is None


def test_published_pages_stay_findable_until_they_are_needed() -> None:
    pool = PagePool(2)
    page = pool.allocate()
    assert page is not None
    pool.publish(page, b"a", 4)
    pool.release(page)
    assert (pool.held, pool.cached) == (0, 1)
    assert pool.find(b"a") == page
    assert (pool.held, pool.cached) == (1, 0)


def test_the_least_recently_used_page_is_evicted_first() -> None:
    pool = PagePool(2)
    for name in (b"a", b"b"):
        page = pool.allocate()
        assert page is not None
        pool.publish(page, name, 4)
    for name in (b"a", b"b"):
        found = pool.find(name)
        assert found is not None
        pool.release(found)
        pool.release(found)
    assert pool.allocate() is not None
    assert pool.find(b"a") is None
    assert pool.find(b"b") is not None


def test_a_page_can_not_be_released_more_often_than_it_is_held() -> None:
    pool = PagePool(1)
    page = pool.allocate()
    assert page is not None
    pool.release(page)
    with pytest.raises(AssertionError):
        pool.release(page)


def test_a_page_that_can_be_found_is_written_to_only_behind_what_its_addresses_stand_for() -> None:
    pool = PagePool(1)
    page = pool.allocate()
    assert page is not None
    pool.publish(page, b"a", 2)
    assert [pool.writable(page, offset) for offset in (1, 2, 3)] == [False, True, True]
    pool.retain(page)
    assert not pool.writable(page, 3)
    pool.release(page)
    pool.unpublish(page)
    assert pool.writable(page, 0)
    assert b"a" not in pool


def test_a_page_has_an_address_for_each_turn_that_ended_in_it() -> None:
    pool = PagePool(1)
    page = pool.allocate()
    assert page is not None
    pool.publish(page, b"a", 2)
    pool.publish(page, b"b", 4)
    pool.release(page)
    assert (pool.find(b"a"), pool.find(b"b")) == (page, page)
    pool.release(page)
    pool.release(page)
    assert pool.allocate() == page
    assert b"a" not in pool
    assert b"b" not in pool


def published(pool: PagePool, name: bytes) -> int:
    page = pool.allocate()
    assert page is not None
    pool.publish(page, name, 4)
    return page


def test_what_a_window_has_passed_is_evicted_before_older_ends_of_turns() -> None:
    pool = PagePool(8)
    pool.release(published(pool, b"end"))
    for index in range(20):
        pool.release(published(pool, b"%d" % index), passed=True)
    assert b"end" in pool
    assert b"19" in pool
    assert b"0" not in pool


def test_of_passed_pages_a_few_stay_until_somebody_comes_for_them_and_those_stay_longer() -> None:
    pool = PagePool(8)
    pool.release(published(pool, b"shared"), passed=True)
    pool.release(published(pool, b"once"), passed=True)
    for index in range(20):
        pool.release(published(pool, b"%d" % index))
    found = pool.find(b"shared")
    assert found is not None
    pool.release(found, passed=True)
    for index in range(6):
        pool.release(published(pool, b"later %d" % index), passed=True)
    assert b"shared" in pool
    assert b"once" not in pool


def filled(pool: PagePool, names: str) -> dict[str, int]:
    """Has the pool keep a page for reuse for each of ``names``, in their order."""
    pages: dict[str, int] = {}
    for name in names:
        page = pool.allocate()
        assert page is not None
        pool.publish(page, name.encode(), 4)
        pages[name] = page
    for page in pages.values():
        pool.release(page)
    return pages


def test_a_pool_that_shrinks_keeps_what_was_used_last_and_moves_it_where_there_is_memory() -> None:
    pool = PagePool(6)
    before = filled(pool, "abcdef")
    moved = dict(pool.resize(2))
    assert [name for name in "abcdef" if name.encode() in pool] == ["e", "f"]
    assert moved.keys() == {before["e"], before["f"]}
    assert {pool.at(b"e"), pool.at(b"f")} == {moved[before["e"]], moved[before["f"]]} == {0, 1}
    assert (pool.limit, pool.size, pool.available) == (2, 2, 2)


def test_a_pool_never_shrinks_below_what_is_held() -> None:
    pool = PagePool(4)
    pages = [pool.allocate() for _ in range(3)]
    pool.resize(1)
    assert (pool.limit, pool.available) == (3, 0)
    pool.release(pages[0] or 0)
    pool.resize(2)
    assert (pool.limit, pool.held, pool.available) == (2, 2, 0)


def test_a_pool_that_may_grow_again_gives_its_pages_anew() -> None:
    pool = PagePool(4)
    filled(pool, "abcd")
    pool.resize(1)
    pool.resize(4)
    assert {pool.allocate() for _ in range(4)} == {0, 1, 2, 3}


def test_memory_is_taken_for_the_first_pages_and_for_more_as_they_are_wanted() -> None:
    pool = PagePool(100, extent=10)
    assert pool.size == 10
    for _ in range(11):
        pool.allocate()
    assert 11 <= pool.size <= 20
    for _ in range(89):
        pool.allocate()
    assert pool.size == 100


def test_pages_with_content_from_the_start_are_found_and_go_last_as_they_were_used() -> None:
    pool = PagePool(5)
    pool.adopt({3: (b"used long ago", 4), 1: (b"used last", 2)})
    assert (pool.held, pool.cached, pool.available) == (0, 2, 5)
    assert pool.find(b"used last") == 1
    assert [pool.allocate() for _ in range(4)] == [0, 2, 4, 3]
    assert pool.find(b"used long ago") is None
    assert pool.allocate() is None
    assert not pool.writable(1, 1)
    assert pool.writable(1, 2)


def test_a_pool_that_has_given_pages_out_takes_no_content_of_others() -> None:
    pool = PagePool(2)
    assert pool.allocate() == 0
    pool.adopt({0: (b"a", 4), 1: (b"b", 4)})
    assert (pool.held, pool.cached, pool.find(b"b")) == (1, 0, None)


def test_content_that_two_pages_have_is_one_s_and_the_other_is_free() -> None:
    pool = PagePool(2)
    pool.adopt({1: (b"a", 4), 0: (b"a", 4)})
    assert (pool.cached, pool.available, pool.find(b"a")) == (1, 2, 1)
    assert pool.allocate() == 0

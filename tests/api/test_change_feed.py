from __future__ import annotations

import anyio

from mlxr.api.change_feed import MOST_GONE, ChangeFeed


def test_who_asks_for_the_first_time_is_told_all_there_is() -> None:
    feed: ChangeFeed[int] = ChangeFeed()
    feed.put({"a": 1, "b": 2})
    told = feed.since("")
    assert (told.reset, told.rows, told.gone) == (True, {"a": 1, "b": 2}, [])


def test_who_comes_back_is_told_what_changed_and_what_went_and_nothing_else() -> None:
    feed: ChangeFeed[int] = ChangeFeed()
    feed.put({"a": 1, "b": 2, "c": 3})
    seen = feed.version
    feed.put({"a": 1, "b": 20})
    feed.put({}, ["c"])
    told = feed.since(seen)
    assert (told.reset, told.rows, told.gone) == (False, {"b": 20}, ["c"])
    assert feed.since(told.version) == (told.version, False, {}, [])


def test_a_row_that_went_and_came_back_is_there() -> None:
    feed: ChangeFeed[int] = ChangeFeed()
    feed.put({"a": 1})
    seen = feed.version
    feed.put({}, ["a"])
    feed.put({"a": 1})
    assert feed.since(seen)[2:] == ({"a": 1}, [])


def test_a_version_of_another_server_or_no_version_at_all_is_told_all() -> None:
    feed, other = ChangeFeed[int](), ChangeFeed[int]()
    feed.put({"a": 1})
    other.put({"b": 1})
    for version in (other.version, "nonsense", f"{feed.version}9", feed.version.replace(".", ".-"), "a.²"):
        assert feed.since(version).reset, version


def test_who_was_away_for_too_long_is_told_all() -> None:
    feed: ChangeFeed[int] = ChangeFeed()
    feed.put({"a": 1})
    seen = feed.version
    for number in range(MOST_GONE + 1):
        feed.put({str(number): 1})
        feed.put({}, [str(number)])
    told = feed.since(seen)
    assert told.reset
    assert told.rows == {"a": 1}


def test_rows_of_one_kind_are_replaced_and_others_stay() -> None:
    feed: ChangeFeed[int] = ChangeFeed()
    feed.put({"x:1": 1, "x:2": 2, "y:1": 3})
    feed.replace({"x:2": 5}, lambda key: key.startswith("x:"))
    assert feed.since("").rows == {"x:2": 5, "y:1": 3}


async def test_who_waits_is_woken_by_a_change_and_not_by_what_is_the_same() -> None:
    feed: ChangeFeed[int] = ChangeFeed()
    feed.put({"a": 1})
    seen, woken = feed.version, anyio.Event()

    async def wait() -> None:
        await feed.changed(seen)
        woken.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        feed.put({"a": 1})
        await anyio.wait_all_tasks_blocked()
        assert not woken.is_set()
        feed.put({"a": 2})
        with anyio.fail_after(5):
            await woken.wait()

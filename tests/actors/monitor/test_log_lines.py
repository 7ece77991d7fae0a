"""The latest lines, and which of them somebody wants."""

from __future__ import annotations

import pytest

from mlxr.actors.monitor.followers import Followers
from mlxr.actors.monitor.log_lines import MOST_CHARACTERS, MOST_LINES, LogLines
from mlxr.runtime.messages.monitor import LogsQuery


def lines(*texts: tuple[str, str, str]) -> LogLines:
    log = LogLines(100)
    for t, (level, logger, message) in enumerate(texts):
        log.add({"t": float(t), "level": level, "logger": logger, "message": message})
    return log


SOME = (
    ("debug", "mlxr.http", "a"),
    ("info", "mlxr.httpx", "Loaded X"),
    ("warning", "mlxr.http.ui", "b"),
    ("error", "mlxr", "c"),
)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (LogsQuery(), [101, 102, 103, 104]),
        (LogsQuery(level="warning"), [103, 104]),
        (LogsQuery(logger="mlxr.http"), [101, 103]),
        (LogsQuery(text="loaded x"), [102]),
        (LogsQuery(limit=2), [103, 104]),
        (LogsQuery(limit=2, before=103), [101, 102]),
    ],
)
def test_a_page_has_the_latest_lines_that_are_wanted(query: LogsQuery, wanted: list[int]) -> None:
    page = lines(*SOME).page(query)
    assert [line.id for line in page.lines] == wanted
    assert page.more == (query.limit == 2 and query.before is None)
    assert page.loggers == ["mlxr", "mlxr.http", "mlxr.http.ui", "mlxr.httpx"]


def test_lines_are_bounded_in_number_and_in_characters() -> None:
    many = lines(*[("info", "x", "y")] * (MOST_LINES + 10))
    assert len(many.page(LogsQuery(limit=10**6)).lines) == MOST_LINES
    long = lines(*[("info", "x", "y" * 100_000)] * 100)
    assert sum(len(line.message) for line in long.page(LogsQuery()).lines) <= MOST_CHARACTERS


def test_who_comes_again_is_told_the_lines_between_or_all_if_some_are_gone() -> None:
    log = lines(*SOME)
    assert [line.id for line in log.since(102) or []] == [103, 104]
    assert log.since(104) == []
    assert log.since(99) is None
    assert log.since(105) is None


def test_readers_of_the_same_lines_cost_one_message() -> None:
    followers, log = Followers(), lines(*SOME)
    for number, query in enumerate((LogsQuery(), LogsQuery(), LogsQuery(level="error"), LogsQuery(text="nothing"))):
        followers.add(number, query)
    told = followers.of_lines(log.since(100) or [])
    assert [(each.requests, [event.id for event in each.events]) for each in told] == [
        ([0, 1], [101, 102, 103, 104]),
        ([2], [104]),
    ]
    followers.drop(0)
    assert followers.of(LogsQuery) == [1, 2, 3]

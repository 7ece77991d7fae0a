"""Which pages get their memory before they are written."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mlxr.actors.executor.page_toucher import PageToucher
from mlxr.metal.cache import CacheGroup
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.kv import CacheKind

SPEC = PoolSpec.even([CacheGroup(CacheKind.FULL, (0, 1), 1, 8)], 100, 4)
WAIT = 30


class Touched:
    """A backend that notes what it is told to touch."""

    lazy_pages = True

    def __init__(self) -> None:
        self.pages: queue.SimpleQueue[list[int]] = queue.SimpleQueue()

    def page_bytes(self, pool: Any, group: int) -> int:
        return 10

    def touch_pages(self, pool: Any, group: int, pages: Sequence[int], goes_on: Callable[[], bool]) -> None:
        if goes_on():
            self.pages.put(list(pages))


@pytest.fixture
def backend() -> Touched:
    return Touched()


@pytest.fixture
def toucher(backend: Touched) -> Iterator[PageToucher]:
    made = PageToucher(backend, lambda: SimpleNamespace(spec=SPEC))  # type: ignore[arg-type, return-value]
    yield made
    made.stop()


def test_at_a_start_as_many_are_touched_as_lie_on_disk(backend: Touched, toucher: PageToucher) -> None:
    toucher.start(lambda: 205)
    assert backend.pages.get(timeout=WAIT) == list(range(20))


def test_half_a_pool_at_most_is_touched_before_anybody_asks(backend: Touched, toucher: PageToucher) -> None:
    toucher.start(lambda: 1 << 40)
    assert backend.pages.get(timeout=WAIT) + backend.pages.get(timeout=WAIT) == list(range(50))


def test_pages_that_are_read_are_touched_unless_their_pool_is_gone(backend: Touched, toucher: PageToucher) -> None:
    toucher.start(lambda: 0)
    toucher.touch(0, [7, 3])
    assert backend.pages.get(timeout=WAIT) == [7, 3]
    toucher.clear()
    toucher.touch(0, [1])
    assert backend.pages.get(timeout=WAIT) == [1]


def test_a_disk_that_can_not_be_looked_at_stops_nobody(backend: Touched, toucher: PageToucher) -> None:
    def refused() -> int:
        raise OSError("gone")

    toucher.start(refused)
    toucher.touch(0, [2])
    assert backend.pages.get(timeout=WAIT) == [2]

"""What the device's thread has to do with pages on disk."""

from __future__ import annotations

from types import SimpleNamespace

from mlxr.actors.executor.pages_on_disk import PagesOnDisk
from mlxr.runtime.messages.executor import GroupSize, Step
from mlxr.runtime.messages.kv import PlanRow, TableEntries


def test_only_where_a_pool_shrinks_nobody_goes_on_touching_its_pages() -> None:
    cleared: list[bool] = []
    pages = PagesOnDisk()
    pages._toucher = SimpleNamespace(clear=lambda: cleared.append(True))  # type: ignore[assignment]
    for count, expected in ((50, []), (60, []), (49, [True])):
        pages.resize(Step(3, -1, [], sizes=[GroupSize(count, 100)]), [50])
        assert cleared == expected


def test_memory_of_a_pool_in_a_file_is_asked_for_as_steps_come_to_it_and_once() -> None:
    asked: list[tuple[int, range]] = []
    pages = PagesOnDisk()
    pages._toucher = SimpleNamespace(touch=lambda group, pages: asked.append((group, pages)))  # type: ignore[assignment]
    pages._reached = [0, 0]

    def step(*new: int) -> Step:
        return Step(3, 1, [PlanRow(1, 0, 1, tables=[TableEntries(0, []), TableEntries(0, list(new))])])

    for new in ([0, 1], [2], [33], [34], []):
        pages.reach(step(*new), [100, 60])
    assert asked == [(1, range(34)), (1, range(34, 60))]
    pages._reached = []
    pages.reach(step(99), [100, 100])
    assert len(asked) == 2

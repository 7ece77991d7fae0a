"""What the device's thread has to do with pages on disk."""

from __future__ import annotations

from types import SimpleNamespace

from mlxr.actors.executor.pages_on_disk import PagesOnDisk
from mlxr.runtime.messages.executor import GroupSize, Step


def test_only_where_a_pool_shrinks_nobody_goes_on_touching_its_pages() -> None:
    cleared: list[bool] = []
    pages = PagesOnDisk()
    pages._toucher = SimpleNamespace(clear=lambda: cleared.append(True))  # type: ignore[assignment]
    for count, expected in ((50, []), (60, []), (49, [True])):
        pages.resize(Step(3, -1, [], sizes=[GroupSize(count, 100)]), [50])
        assert cleared == expected

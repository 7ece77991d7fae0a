"""Pages between the pool and host memory: who is answered, whatever becomes of the pool."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mlxr.actors.executor.page_transfers import PageTransfers
from mlxr.runtime.messages.executor import RestorePages
from mlxr.runtime.messages.kv import PagesRestored


def test_who_gives_up_a_read_is_answered_though_the_pool_has_been_emptied() -> None:
    told: list[Any] = []
    files = SimpleNamespace(read=lambda command: None, done=lambda: None)
    transfers = PageTransfers(SimpleNamespace(), lambda: None, files, told.append)  # type: ignore[arg-type, return-value]
    transfers.restore(RestorePages(0, 7, "a", 0, 0, [0], [b"a" * 16]), None)
    transfers.close()
    transfers.restore(RestorePages(0, 8, "a", 0, 0, [1], [b"b" * 16]), None)
    transfers.cancel(7)
    transfers.cancel(8)
    assert told == [PagesRestored(7, [], cancelled=True), PagesRestored(8, [], cancelled=True)]

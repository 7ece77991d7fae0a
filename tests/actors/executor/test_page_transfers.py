"""Pages between the pool and host memory: who is answered, whatever becomes of the pool."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlxr.actors.executor import page_transfers
from mlxr.actors.executor.page_files import Read
from mlxr.actors.executor.page_transfers import PageTransfers, staging
from mlxr.runtime.messages.executor import RestorePages, StorePages
from mlxr.runtime.messages.kv import PagesRestored, PagesStored, PagesTaken, StoredPage


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


def test_pages_are_free_though_there_is_no_memory_to_copy_them_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(pages: int, page_bytes: int) -> Any:
        raise OSError(12, "Cannot allocate memory")

    told: list[Any] = []
    files = SimpleNamespace(refuse=lambda command: told.append(PagesStored(command.batch)), done=lambda: None)
    backend = SimpleNamespace(page_bytes=lambda pool, group: 4096)
    transfers = PageTransfers(backend, lambda: None, files, told.append)  # type: ignore[arg-type, return-value]
    monkeypatch.setattr(page_transfers, "staging", no_memory)
    transfers.store(StorePages(0, 7, "a", 0, [0], [StoredPage(b"a" * 16)]), None)
    assert told == [PagesStored(7), PagesTaken(7)]
    assert not transfers.advance(None)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_memory_for_pages_on_their_way_is_the_process_s_own() -> None:
    pages = staging(2, 4096)
    child = os.fork()
    if not child:
        pages[1, 7] = 1
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not pages.any()
    pages[1, 7] = 1
    assert pages.sum() == 1


def test_pages_that_there_is_no_memory_for_are_not_restored() -> None:
    def full(group: int, pages: Sequence[int]) -> None:
        raise OSError(28, "No space left on device")

    told: list[Any] = []
    command = RestorePages(0, 7, "a", 0, 0, [0], [b"a" * 16])
    reads = [Read(command, np.zeros((1, 8), np.uint8), [True], 0.0)]
    files = SimpleNamespace(read=lambda command: None, done=reads.pop, free=lambda read: None)
    backend = SimpleNamespace()  # where nothing is to be written
    transfers = PageTransfers(backend, lambda: None, files, told.append, provide=full)  # type: ignore[arg-type, return-value]
    transfers.restore(command, None)
    assert transfers.advance(None)
    assert told[0].good == [False]

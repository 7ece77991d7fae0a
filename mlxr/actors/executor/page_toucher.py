"""Memory for pages that are about to be read from the disk: the system gives it beside the reading, not while they are
copied.

A virtual machine whose free memory goes back to its host is given it again slowly: 4.7 ms for 2 MB, fifty times as long
as copying takes. So one thread goes through the pages that somebody waits for, from the last layer on, while the
device's thread copies from the first on; and another, when an engine starts, through as many as lie on disk.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from mlxr.actors.executor.compiler import yield_to_others
from mlxr.actors.kv.disk.restoring import PREFETCHED_BYTES, PREFETCHED_SHARE
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool
from mlxr.runtime.messages.kv import CacheKind

log = logging.getLogger("mlxr.executor")

PAGES_AT_ONCE = 32
"""Looked at between two looks at whether to go on."""

_Job = tuple[int, Sequence[int], int]
"""A group, its pages, and the pool that they are of, by number."""


class PageToucher:
    """``pool``: the pool that there is, None between two. Methods are called on the thread that may replace it."""

    def __init__(self, backend: Backend, pool: Callable[[], Pool | None]) -> None:
        self._backend = backend
        self._pool = pool
        self._number = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, on_disk: Callable[[], int]) -> None:
        """``on_disk``: bytes of pages that lie there, of which those used last are read soon; asked on a thread of its
        own, since disks may not answer."""
        if not self._backend.lazy_pages:
            return
        for name, work in (("pages asked for", self._touch_all), ("pages ahead", self._touch_ahead)):
            arguments = (on_disk, self._number) if work == self._touch_ahead else ()
            thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._number += 1
        self._jobs.put(None)

    def touch(self, group: int, pages: Sequence[int]) -> None:
        """``pages`` are written soon, and have no use until then."""
        if self._threads:
            self._jobs.put((group, pages, self._number))

    def clear(self) -> None:
        """The pool is about to be another one, or smaller."""
        self._number += 1

    def _touch_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._touch(*job)

    def _touch_ahead(self, on_disk: Callable[[], int], number: int) -> None:
        """New pools give their first pages first."""
        yield_to_others()
        try:
            nbytes = min(on_disk(), PREFETCHED_BYTES)
        except OSError:
            return  # Whoever reads says so.
        if (pool := self._pool()) is None:
            return
        size = sum(self._backend.page_bytes(pool, group) for group in range(len(pool.spec.groups)))
        for group, part in enumerate(pool.spec.groups):
            if part.group.kind in (CacheKind.FULL, CacheKind.LATENT):
                self._touch(group, range(min(nbytes // size, part.pages // PREFETCHED_SHARE)), number)

    def _touch(self, group: int, pages: Sequence[int], number: int) -> None:
        for begin in range(0, len(pages), PAGES_AT_ONCE):
            pool = self._pool() if number == self._number else None
            if pool is None:
                return
            part = pages[begin : begin + PAGES_AT_ONCE]
            self._backend.touch_pages(pool, group, part, lambda: number == self._number)

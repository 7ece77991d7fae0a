"""Memory for pages that are about to be read from the disk: the system gives it beside the reading, not while they are
copied.

A virtual machine whose free memory goes back to its host is given it again slowly: 4.7 ms for 2 MB, fifty times as long
as copying takes. So a thread goes through the pages that somebody waits for, from the last layer on, while the device's
thread copies from the first on; and through as many as lie on disk, when an engine has started and nobody waits.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from mlxr.actors.executor.compiler import yield_to_others
from mlxr.actors.kv.disk.restoring import PREFETCHED_BYTES, PREFETCHED_SHARE
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool
from mlxr.runtime.messages.kv import CacheKind
from mlxr.runtime.pacing import background

PAGES_AT_ONCE = 32
"""Where a layer's keys take 64 KB a page, so many lie in one of the system's huge pages."""

_Job = tuple[int, Sequence[int], int]
"""A group, its pages, and the pool that they are of, by number."""


class PageToucher:
    """``pool``: the pool that there is, None between two. Methods are called on the thread that may replace it."""

    def __init__(self, backend: Backend, pool: Callable[[], Pool | None]) -> None:
        self._backend = backend
        self._pool = pool
        self._number = 0
        self._started = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()

    def start(self, on_disk: Callable[[], int]) -> None:
        """``on_disk``: bytes of pages that lie there, of which those used last are read soon; asked on the thread that
        touches, since disks may not answer."""
        if self._backend.lazy_pages:
            self._started = True
            arguments = (on_disk, self._number)
            threading.Thread(target=self._touch_all, args=arguments, name="page memory", daemon=True).start()

    def stop(self) -> None:
        self._number += 1
        self._jobs.put(None)

    def touch(self, group: int, pages: Sequence[int]) -> None:
        """``pages`` are written soon, and have no use until then."""
        if self._started:
            self._jobs.put((group, pages, self._number))

    def clear(self) -> None:
        """The pool is about to be another one, or smaller: what was to be touched of it is not."""
        self._number += 1

    # On the thread that touches.

    def _touch_all(self, on_disk: Callable[[], int], number: int) -> None:
        yield_to_others()
        ahead = self._ahead(on_disk)
        # Other models' streams are disturbed no more than by a load.
        with background() as pacer:

            def undisturbed() -> bool:
                pacer.pause()
                return number == self._number and self._jobs.empty()

            for group, pages in ahead:
                while number == self._number:
                    self._asked_for()
                    self._touch(group, pages, number, undisturbed)
                    if self._jobs.empty():
                        break
        while (job := self._jobs.get()) is not None:
            self._touch(*job)

    def _ahead(self, on_disk: Callable[[], int]) -> list[tuple[int, Sequence[int]]]:
        """Returns, part by part, where will be read what was used last: new pools give their first pages first."""
        try:
            nbytes = min(on_disk(), PREFETCHED_BYTES)
        except OSError:
            return []  # Whoever reads says so.
        if (pool := self._pool()) is None:
            return []
        size = sum(self._backend.page_bytes(pool, group) for group in range(len(pool.spec.groups)))
        parts: list[tuple[int, Sequence[int]]] = []
        for group, part in enumerate(pool.spec.groups):
            if part.group.kind in (CacheKind.FULL, CacheKind.LATENT):
                pages = range(min(nbytes // size, part.pages // PREFETCHED_SHARE))
                parts += [(group, pages[at : at + PAGES_AT_ONCE]) for at in range(0, len(pages), PAGES_AT_ONCE)]
        return parts

    def _asked_for(self) -> None:
        while not self._jobs.empty():
            if (job := self._jobs.get()) is None:
                self._jobs.put(None)
                return
            self._touch(*job)

    def _touch(self, group: int, pages: Sequence[int], number: int, goes_on: Callable[[], bool] | None = None) -> None:
        pool = self._pool() if number == self._number else None
        if pool is not None:
            self._backend.touch_pages(pool, group, pages, goes_on or (lambda: number == self._number))

"""An engine's pages on disk, as its device's thread has to do with them: what is copied between steps, and who reads
and writes files meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mlxr.actors.executor.disk import open_disk
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.page_files import PageFiles
from mlxr.actors.executor.page_toucher import PAGES_AT_ONCE, PageToucher
from mlxr.actors.executor.page_transfers import PageTransfers
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.metal.backend import Backend
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import CancelRestore, RestorePages, StartTransfers, Step, StorePages
from mlxr.runtime.messages.scheduler import StepDone

LINGER = 0.7
"""Which part of a long step may pass before its end is waited for."""


class PagesOnDisk:
    """Owns the threads that read, write and touch. Nothing is done before ``open``, nor where there is no disk to be
    had. Methods belong to the device's thread.

    Attributes:
        copying: there is more to copy at once.
    """

    def __init__(self) -> None:
        self.copying = False
        self._files: PageFiles | None = None
        self._transfers: PageTransfers | None = None
        self._toucher: PageToucher | None = None
        self._reached: list[int] = []
        """Of each group, up to which page memory was asked for; of a pool that takes it from a file."""

    def open(
        self,
        settings: ExecutorSettings,
        backend: Backend,
        runner: ModelRunner,
        contents: list[str],
        epoch: int,
        tell: Callable[[Message], None],
        answer: Callable[[Message], None],
        wake: Callable[[], None],
        shared: SharedPool | None = None,
    ) -> bool:
        """Opens the folder in which pages of this model lie; tells whether there is to be one. ``tell``, ``answer``:
        to the KV manager, on the device's thread and on any. ``wake``: has the device's thread look at what was
        read. ``shared``: the pool's, where it outlives the process."""
        self._files = open_disk(settings, backend, runner.pool, contents, epoch, answer, wake, shared)
        if self._files is None:
            return False
        self._files.start()
        self._toucher = PageToucher(backend, lambda: runner.pool_if_any)
        self._toucher.start(self._files.on_disk)
        self._reached = [0 for _ in runner.pages] if shared is not None else []
        provide = shared.provide if shared is not None else _nothing_to_provide
        self._transfers = PageTransfers(backend, lambda: runner.pool, self._files, tell, self._toucher.touch, provide)
        return True

    def stop(self) -> None:
        if self._toucher is not None:
            self._toucher.stop()
        if self._files is not None:
            self._files.stop()

    def take(
        self, command: StartTransfers | StorePages | RestorePages | CancelRestore, previous: LaunchedStep | None
    ) -> None:
        """``previous``: the step that was launched last, if it has not been collected."""
        transfers, behind = self._transfers, _number(previous)
        if transfers is None:
            return
        match command:
            case StartTransfers():
                transfers.open(describe=command.describe)
            case StorePages():
                transfers.store(command, behind)
            case RestorePages():
                transfers.restore(command, behind)
            case CancelRestore():
                transfers.cancel(command.batch)

    def copy(self, previous: LaunchedStep | None) -> None:
        """Copies pages that are due between the pool and host memory, one slice of them."""
        if self._transfers is not None:
            self.copying = self._transfers.advance(_number(previous))

    def has_time(self, previous: LaunchedStep) -> bool:
        """Whether there is time to copy pages for somebody who waits, while a prompt's long step runs: who waits for a
        step does nothing else."""
        if self._transfers is None or not (self.copying or self._transfers.reading):
            return False
        ran = (time.monotonic_ns() - previous.launched_ns) / 1e9
        return ran < LINGER * self._transfers.seconds_of(previous.step)

    def note(self, step: Step, done: StepDone) -> None:
        """A step was collected."""
        if self._transfers is not None:
            self._transfers.note(step, done)

    def reach(self, step: Step, there: list[int]) -> None:
        """Has pages touched that ``step`` writes to, and some behind them: the system has no huge pages for files
        unless it is asked for each. ``there``: as in ``resize``."""
        for row in step.rows if self._reached else ():
            for group, change in enumerate(row.tables):
                last = max(change.pages, default=-1)
                if last >= (first := self._reached[group]) and self._toucher is not None:
                    self._reached[group] = min(last + 1 + PAGES_AT_ONCE, there[group])
                    self._toucher.touch(group, range(first, self._reached[group]))

    def resize(self, step: Step, there: list[int]) -> None:
        """Has nobody touch pages that ``step`` takes the memory of. ``there``: how many of each group have it."""
        lost = any(size.pages < count for size, count in zip(step.sizes, there, strict=False))
        if lost and self._toucher is not None:
            self._toucher.clear()
            self._reached = [min(reached, size.pages) for reached, size in zip(self._reached, step.sizes, strict=False)]

    def clear(self) -> None:
        """The pool is about to be another one."""
        if self._transfers is not None:
            self._transfers.close()
        if self._toucher is not None:
            self._toucher.clear()
        self._reached = [0 for _ in self._reached]


def _nothing_to_provide(group: int, pages: Sequence[int]) -> None:
    """The process's own memory is there when it is written to."""


def _number(previous: LaunchedStep | None) -> int | None:
    return previous.step.step if previous is not None else None

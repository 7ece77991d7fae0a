"""Progress of a pull on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from mlxr.actors.registry.progress import Progress
from mlxr.cli.printing import make_console, progress_is_shown
from mlxr.runtime.printable import printable

WIDE = 72
"""Cells that a bar with its counts, rate and time needs."""


class _Rate(TransferSpeedColumn):
    """Nothing where none is known, as of what was here already."""

    def render(self, task: Task) -> Text:
        known = task.finished_speed or task.speed
        return super().render(task) if known else Text()


class PullBars:
    """A bar for each download and a line for each stage, in their order; nothing at all where ``console``, which is
    stderr if none is given, is no terminal. ``unit``: what is counted, where that is no bytes."""

    def __init__(self, console: Console | None = None, unit: str = "") -> None:
        self._unit = unit
        # Not FORCE_COLOR decides: bars in a file are of no use to anybody.
        self._console = console or make_console(stderr=True, force_terminal=progress_is_shown())
        self._bars: Bars | None = None
        self._status = ""
        self._task = TaskID(0)

    def __enter__(self) -> PullBars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_bar()

    def report(self, progress: Progress) -> None:
        if not self._console.is_terminal:
            return
        status = printable(progress.status)
        if not (progress.total or progress.completed):
            # A line that is printed beside a bar goes above it, so the bar ends first.
            self._end_bar()
            self._console.print(status, highlight=False, markup=False)
            return
        if self._bars is None or status != self._status:
            self._begin_bar(status, progress)
        assert self._bars is not None
        self._bars.update(self._task, completed=progress.completed, total=progress.total or None)

    def _begin_bar(self, status: str, progress: Progress) -> None:
        self._end_bar()
        counted: list[ProgressColumn] = [DownloadColumn(), _Rate()]
        if self._unit:
            counted = [TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {self._unit}")]
        wide: list[ProgressColumn] = [BarColumn(), *counted, TimeRemainingColumn()]
        narrow: list[ProgressColumn] = [TaskProgressColumn(), TimeRemainingColumn()]
        columns = wide if self._console.width >= WIDE else narrow
        self._bars = Bars(TextColumn("{task.description}", markup=False), *columns, console=self._console)
        self._status = status
        # What an earlier pull brought is no speed of this one.
        self._task = self._bars.add_task(status, total=progress.total or None, completed=progress.completed)
        self._bars.start()

    def _end_bar(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

"""Progress of a pull on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from mlxr.actors.registry.pull import Progress
from mlxr.runtime.printable import printable


class PullBars:
    """A bar for each download and a line for each stage; nothing at all where ``console`` is no terminal."""

    def __init__(self, console: Console) -> None:
        self._shown = console.is_terminal
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not self._shown,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> PullBars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def report(self, progress: Progress) -> None:
        if not self._shown:
            return
        status = printable(progress.status)
        if not (progress.total or progress.completed):
            self._bars.console.print(status, highlight=False, markup=False)
            return
        task = self._tasks.get(status)
        if task is None:
            task = self._tasks[status] = self._bars.add_task(status)
        self._bars.update(task, completed=progress.completed, total=progress.total or None)

"""Logging: short lines on stderr, and the same as telemetry events."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final, TextIO

from mlxr.runtime.printable import printable, shortened
from mlxr.runtime.telemetry import LogLine, Telemetry

MARK: Final = "    | "
"""Before each line of a traceback."""

LONGEST: Final = 4_000
LONGEST_TRACEBACK: Final = 40_000
"""Characters of a message, and of an exception: clients have a say in them, and a disk comes to an end."""

EVERY_SECONDS: Final = 5.0
"""How often progress is told where there is no terminal."""

BAR_CELLS: Final = 30

_PROGRESS: Final = "progress"


class TelemetryHandler(logging.Handler):
    """Sends each record to the ``logs`` topic."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        if self._telemetry.wants("logs"):
            self._telemetry.emit(
                "logs", LogLine(record.levelname.lower(), record.name, shortened(record.getMessage(), LONGEST))
            )


class LineFormatter(logging.Formatter):
    """One line a record. Requests and files have a say in messages and exceptions, and none in what lines there are."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        record.message = printable(shortened(record.message, LONGEST))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Returns a traceback, behind a mark on each of its lines."""
        text = shortened(super().formatException(ei), LONGEST_TRACEBACK)
        return "\n".join(f"{MARK}{printable(line)}" for line in text.splitlines())

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return "\n".join(f"{MARK}{printable(line)}" for line in stack_info.splitlines())


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes a line a record, and shows how far something is.

    A record with ``extra=progress(...)`` is one line on a terminal, which the next replaces and other records go above
    of; elsewhere it is written if the one before is ``EVERY_SECONDS`` old.
    """

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._now = now
        self._terminal = stream.isatty()
        self._shown = False
        self._due = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        fraction: float | None = getattr(record, _PROGRESS, None)
        if fraction is None:
            self._clear()
            super().emit(record)
        elif self._terminal:
            self._show(f"{self.format(record)}  {bar(fraction)}")
        elif (now := self._now()) >= self._due:
            self._due = now + EVERY_SECONDS
            super().emit(record)

    def _show(self, line: str) -> None:
        self._clear()
        self.stream.write(line[: _columns(self.stream) - 1])
        self.stream.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self.stream.write("\r\x1b[K")
            self._shown = False


def progress(fraction: float) -> dict[str, float]:
    """Returns ``extra`` of a record that says how far something is, from 0 to 1; others like it follow."""
    return {_PROGRESS: fraction}


def bar(fraction: float) -> str:
    done = round(BAR_CELLS * min(max(fraction, 0.0), 1.0))
    return f"[{'#' * done}{'.' * (BAR_CELLS - done)}]"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def level() -> str:
    """Returns the level in force, as ``set_up`` takes it."""
    return logging.getLevelName(logging.getLogger("mlxr").getEffectiveLevel()).lower()


def set_up(level: str) -> None:
    """Log to stderr from ``level`` (debug, info, warning, error) on."""
    handler = LineHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger("mlxr")
    root.handlers = [handler]
    root.setLevel(level.upper())
    root.propagate = False
    # What libraries complain about.
    logging.getLogger().handlers = [handler]

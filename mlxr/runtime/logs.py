"""Logging: short lines on stderr, the same in the home's log file (``log_file``), and as telemetry events."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, TextIO

from msgspec import Struct

from mlxr.runtime.log_file import LONGEST, LONGEST_TRACEBACK, LogFileHandler, LogFileSettings, without_secrets
from mlxr.runtime.printable import printable, shortened
from mlxr.runtime.telemetry import LogLine, Telemetry

MARK: Final = "    | "
"""Before each line of a traceback."""

EVERY_SECONDS: Final = 5.0
"""How often progress is told where there is no terminal."""

BAR_CELLS: Final = 30

_PROGRESS: Final = "progress"

LINES: Final = logging.Formatter()

REQUESTS: Final = "mlxr.requests"
"""The logger of a line for each request, which the file alone has: stderr would show little else."""

FILE_ALONE: Final = {"file_alone": True}
"""``extra`` of a record that stderr is told otherwise."""

REQUEST_ID: Final = ContextVar("request_id", default="")
"""What the client knows the request by that a task is at work on; lines of that task carry it."""


class LogSettings(Struct, frozen=True):
    """How a process logs.

    level: from which on.
    file: where besides stderr; None for nowhere.
    """

    level: str = "info"
    file: LogFileSettings | None = None


class TelemetryHandler(logging.Handler):
    """Sends each record to the ``logs`` topic, without secrets, from any thread. Made on the loop that telemetry is
    told from. ``hide``: texts that never get there."""

    def __init__(self, telemetry: Telemetry, hide: Sequence[str] = ()) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._hide = [text for text in hide if text]
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == REQUESTS:
            return
        if threading.get_ident() == self._thread:
            self._tell(record)
            return
        # Telemetry's socket belongs to the loop's thread.
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell, record)

    def _tell(self, record: logging.LogRecord) -> None:
        if not self._telemetry.wants("logs"):
            return
        trace = LINES.formatException(record.exc_info) if record.exc_info else ""
        line = LogLine(
            record.levelname.lower(),
            record.name,
            without_secrets(shortened(record.getMessage(), LONGEST), self._hide),
            getattr(record, "request_id", "") or REQUEST_ID.get(),
            without_secrets(shortened(trace, LONGEST_TRACEBACK), self._hide),
        )
        self._telemetry.emit("logs", line, record.created)


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
        if getattr(record, "file_alone", False):
            return
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


class FileHandler(LogFileHandler):
    """Writes records to the home's log file, with the request that they are about; progress every few seconds."""

    def __init__(self, settings: LogFileSettings, actor: str = "", hide: tuple[str, ...] = ()) -> None:
        super().__init__(settings, actor, hide)
        self._due = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, _PROGRESS, None) is not None:
            if (now := time.monotonic()) < self._due:
                return
            self._due = now + EVERY_SECONDS
        if not hasattr(record, "request_id") and (name := REQUEST_ID.get()):
            record.request_id = name
        super().emit(record)


def in_force() -> LogSettings:
    """Returns how this process logs, for another that is to log likewise."""
    root = logging.getLogger("mlxr")
    file = next((handler.settings for handler in root.handlers if isinstance(handler, LogFileHandler)), None)
    return LogSettings(logging.getLevelName(root.getEffectiveLevel()).lower(), file)


def set_up(settings: LogSettings, actor: str = "", hide: tuple[str, ...] = ()) -> None:
    """Logs as ``settings`` say. ``actor``: whose process this is; ``hide``: texts that never get into the file."""
    handler = LineHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    handler.addFilter(lambda record: record.name != REQUESTS)
    handlers: list[logging.Handler] = [handler]
    if settings.file is not None:
        handlers.append(FileHandler(settings.file, actor, hide))
    # No line says these, and each asks the system.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger("mlxr")
    root.handlers = handlers
    root.setLevel(settings.level.upper())
    root.propagate = False
    # What libraries complain about.
    logging.getLogger().handlers = list(handlers)


def close() -> None:
    """Writes out what is left for the file, where a process ends by ``os._exit``."""
    for handler in logging.getLogger("mlxr").handlers:
        if isinstance(handler, LogFileHandler):
            handler.close()

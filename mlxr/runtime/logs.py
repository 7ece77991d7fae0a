"""Logging: short lines on stderr, and the same as telemetry events."""

from __future__ import annotations

import logging
from typing import Any, Final

from mlxr.runtime.printable import printable
from mlxr.runtime.telemetry import LogLine, Telemetry

MARK: Final = "    | "
"""Before each line of a traceback."""


class TelemetryHandler(logging.Handler):
    """Sends each record to the ``logs`` topic."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        if self._telemetry.wants("logs"):
            self._telemetry.emit("logs", LogLine(record.levelname.lower(), record.name, record.getMessage()))


class LineFormatter(logging.Formatter):
    """One line a record. Requests and files have a say in messages and exceptions, and none in what lines there are."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """A traceback, behind a mark on each of its lines."""
        return "\n".join(f"{MARK}{printable(line)}" for line in super().formatException(ei).splitlines())

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return "\n".join(f"{MARK}{printable(line)}" for line in stack_info.splitlines())


def level() -> str:
    """The level in force, as ``set_up`` takes it."""
    return logging.getLevelName(logging.getLogger("mlxr").getEffectiveLevel()).lower()


def set_up(level: str) -> None:
    """Log to stderr from ``level`` (debug, info, warning, error) on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger("mlxr")
    root.handlers = [handler]
    root.setLevel(level.upper())
    root.propagate = False
    # What libraries complain about.
    logging.getLogger().handlers = [handler]

"""Logging: short lines on stderr, and the same as telemetry events."""

from __future__ import annotations

import logging

from mlxr.runtime.telemetry import LogLine, Telemetry


class TelemetryHandler(logging.Handler):
    """Sends each record to the ``logs`` topic."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        if self._telemetry.wants("logs"):
            self._telemetry.emit("logs", LogLine(record.levelname.lower(), record.name, record.getMessage()))


def level() -> str:
    """The level in force, as ``set_up`` takes it."""
    return logging.getLevelName(logging.getLogger("mlxr").getEffectiveLevel()).lower()


def set_up(level: str) -> None:
    """Log to stderr from ``level`` (debug, info, warning, error) on."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger("mlxr")
    root.handlers = [handler]
    root.setLevel(level.upper())
    root.propagate = False

"""Reads the home's log files, and goes on with what is added to them."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from mlxr.runtime.durations import duration_seconds
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.log_file import LogEntry, entries, files

LEVELS = ("debug", "info", "warning", "error", "critical")

LOOK_SECONDS = 0.2
"""How often a file is looked at for more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are wanted.

    level: this one and above.
    actors: kinds or addresses of actors, or parts of the program; empty for all.
    since: seconds since 1970.
    request: what a request is known by, or its number; empty for all.
    """

    level: str = "debug"
    actors: tuple[str, ...] = ()
    since: float = 0.0
    request: str = ""

    def has(self, entry: LogEntry) -> bool:
        if entry.t < self.since or (entry.level in LEVELS and LEVELS.index(entry.level) < LEVELS.index(self.level)):
            return False
        if self.request and self.request not in (entry.request_id, str(entry.request or "")):
            return False
        return not self.actors or bool({*self.actors} & _speakers(entry))


def _speakers(entry: LogEntry) -> set[str]:
    kind = entry.actor.partition("/")[0]
    return {entry.logger.removeprefix("mlxr").lstrip(".") or "mlxr", entry.logger, entry.actor, kind}


def since_when(text: str, now: datetime) -> float:
    """Returns the moment that ``--since`` names, in seconds since 1970. Raises ``ConfigError``."""
    if text.strip()[-1:].isalpha() and (ago := _ago(text)) is not None:
        # A time before there was any log: from its beginning.
        return (now - timedelta(seconds=min(ago, now.timestamp()))).timestamp()
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text.strip()):
        text = f"{now:%Y-%m-%d}T{text.strip():0>5}"
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        today = f"{date.fromtimestamp(now.timestamp())}"
        raise ConfigError(f"--since {text}: write 10m, 2h, 1d, 20:15, or a date such as {today}") from None


def _ago(text: str) -> float | None:
    """Returns a duration in seconds, and None for what is none."""
    try:
        return abs(duration_seconds(text.replace(" ", "")))
    except ValueError:
        return None


class Reader:
    """Reads the newest file from its beginning, and whatever is put in its place. Keeps what has no end of line yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._rest = b""
        self._last = 0.0

    def new(self) -> list[LogEntry]:
        """Returns what was added since the last call."""
        found: list[LogEntry] = []
        while True:
            if self._file is None:
                try:
                    self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    return found
            moved = self._moved()
            found += self._timed(entries(self._lines(self._file)))
            if not moved:
                return found
            os.close(self._file)
            self._file = None

    def older(self) -> Iterator[LogEntry]:
        """Returns what the files before the newest have."""
        for file in files(self._path):
            if file != self._path:
                try:
                    with file.open("rb") as opened:
                        yield from self._timed(entries(opened))
                except FileNotFoundError:
                    continue

    def _timed(self, read: Iterable[LogEntry]) -> Iterator[LogEntry]:
        """Gives an entry without a time, which no process of ours wrote as it stands, that of the one before."""
        for entry in read:
            if entry.t:
                self._last = entry.t
            yield entry if entry.t else replace(entry, t=self._last)

    def _moved(self) -> bool:
        assert self._file is not None
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False

    def _lines(self, file: int) -> list[bytes]:
        parts: list[bytes] = [self._rest]
        while part := os.read(file, 1 << 20):
            parts.append(part)
        *lines, self._rest = b"".join(parts).split(b"\n")
        return lines


def recent(path: Path, wanted: Wanted, count: int) -> tuple[list[LogEntry], Reader]:
    """Returns the last ``count`` entries that are wanted (0: all of them), and what reads on from there."""
    reader = Reader(path)
    found: deque[LogEntry] = deque(maxlen=min(count, sys.maxsize) or None)
    found.extend(entry for entry in reader.older() if wanted.has(entry))
    found.extend(entry for entry in reader.new() if wanted.has(entry))
    return list(found), reader


def follow(reader: Reader, wanted: Wanted) -> Iterator[LogEntry]:
    while True:
        for entry in reader.new():
            if wanted.has(entry):
                yield entry
        time.sleep(LOOK_SECONDS)

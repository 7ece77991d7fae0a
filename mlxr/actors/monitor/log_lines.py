"""The latest lines of the log, in bounded space, and who wants which of them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from mlxr.api.monitor import LEVELS, LogLine, LogPage
from mlxr.runtime.messages.monitor import LogsQuery

MOST_LINES: Final = 5_000
MOST_CHARACTERS: Final = 4_000_000

_RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}


class LogLines:
    """Lines by their numbers, which go on from ``last``."""

    def __init__(self, last: int) -> None:
        self.last = last
        self._lines: deque[LogLine] = deque()
        self._characters = 0

    def add(self, event: dict[str, Any]) -> LogLine:
        """Takes in a line: an event of the topic ``logs``, or what the log file has of one."""
        self.last += 1
        texts = (event.get(key, "") for key in ("level", "logger", "message", "request_id", "traceback"))
        line = LogLine(self.last, event.get("t", 0.0), *texts)
        self._lines.append(line)
        self._characters += _size(line)
        while len(self._lines) > MOST_LINES or self._characters > MOST_CHARACTERS:
            self._characters -= _size(self._lines.popleft())
        return line

    def knows(self, event: dict[str, Any], among: int = 200) -> bool:
        """Tells whether one of the latest lines is this one."""
        same = (event.get("t"), event.get("logger"), event.get("message"))
        return any((line.t, line.logger, line.message) == same for line in islice(reversed(self._lines), among))

    def page(self, query: LogsQuery) -> LogPage:
        """Returns the latest lines that ``query`` is about."""
        found: list[LogLine] = []
        more = False
        for line in reversed(self._lines):
            if (query.before is not None and line.id >= query.before) or not matches(line, query):
                continue
            if len(found) == query.limit:
                more = True
                break
            found.append(line)
        return LogPage(self.last, more, found[::-1], sorted({line.logger for line in self._lines if line.logger}))

    def since(self, number: int) -> list[LogLine] | None:
        """Returns the lines behind that of ``number``; None where that is of another life of the server."""
        first = self._lines[0].id if self._lines else self.last + 1
        if not first - 1 <= number <= self.last:
            return None
        return [line for line in self._lines if line.id > number]


def matches(line: LogLine, query: LogsQuery) -> bool:
    if _RANK.get(line.level, 0) < _RANK.get(query.level, 0):
        return False
    if query.logger and line.logger != query.logger and not line.logger.startswith(f"{query.logger}."):
        return False
    text = query.text.casefold()
    return not text or any(text in part.casefold() for part in (line.message, line.request_id, line.traceback))


def matching(lines: Iterable[LogLine], query: LogsQuery) -> Iterator[LogLine]:
    return (line for line in lines if matches(line, query))


def _size(line: LogLine) -> int:
    return len(line.message) + len(line.traceback) + 200

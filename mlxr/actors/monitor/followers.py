"""Who follows what, and what each is still to be told. Many readers of the same cost one message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from mlxr.actors.monitor.log_lines import matching
from mlxr.api.monitor import LogLine
from mlxr.runtime.messages.frontend import MonitorEvent, MonitorEvents
from mlxr.runtime.messages.monitor import LogsQuery, MetricsQuery, MonitorQuery, RequestsQuery


class Followers:
    """Owns which requests follow which query."""

    def __init__(self) -> None:
        self._queries: dict[int, MonitorQuery] = {}

    def add(self, request: int, query: MonitorQuery) -> None:
        self._queries[request] = query

    def drop(self, request: int) -> None:
        self._queries.pop(request, None)

    def clear(self) -> None:
        self._queries.clear()

    def of(self, kind: type[RequestsQuery] | type[LogsQuery]) -> list[int]:
        """Returns those who follow queries of that kind."""
        return [request for request, query in self._queries.items() if isinstance(query, kind)]

    def of_resolution(self, resolution: int) -> list[int]:
        """Returns those who follow metrics of that resolution."""
        wanted = MetricsQuery(resolution)
        return [request for request, query in self._queries.items() if query == wanted]

    def of_lines(self, lines: list[LogLine]) -> list[MonitorEvents]:
        """Returns what to tell those who follow the log of new ``lines``."""
        alike: defaultdict[LogsQuery, list[int]] = defaultdict(list)
        for request, query in self._queries.items():
            if isinstance(query, LogsQuery):
                alike[query].append(request)
        wanted = ((requests, line_events(matching(lines, query))) for query, requests in alike.items())
        return [MonitorEvents(requests, events) for requests, events in wanted if events]


def events_for(query: LogsQuery, lines: Iterable[LogLine]) -> list[MonitorEvent]:
    return line_events(matching(lines, query))


def line_events(lines: Iterable[LogLine]) -> list[MonitorEvent]:
    return [MonitorEvent(line.id, "line", msgspec.json.encode(line)) for line in lines]

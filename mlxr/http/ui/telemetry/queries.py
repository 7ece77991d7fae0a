"""What may stand behind the question mark, as what the monitor is asked."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from mlxr.api.errors import invalid
from mlxr.api.monitor import LEVELS, RESOLUTIONS
from mlxr.api.whole_numbers import whole_number
from mlxr.runtime.messages.monitor import LogsQuery, MetricsQuery, RequestsQuery

MOST_REQUESTS: Final = 500
MOST_LINES: Final = 5_000
MOST_CHARACTERS: Final = 200

LOGS_QUERY: Final[dict[str, dict[str, Any]]] = {
    "level": {"type": "string", "enum": list(LEVELS), "default": "debug", "description": "from which on"},
    "logger": {"type": "string", "description": "with those below it"},
    "text": {"type": "string", "description": "in messages, names of requests and tracebacks, in any case of letters"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_LINES, "default": 500},
    "before": {"type": "integer", "description": "the id of a line: older ones alone"},
}


def metrics_query(request: web.Request) -> MetricsQuery:
    resolution = _number(request, "resolution", 1)
    if resolution not in RESOLUTIONS:
        raise invalid(f"`resolution` is one of {', '.join(map(str, RESOLUTIONS))}, in seconds", "resolution")
    return MetricsQuery(resolution)


def requests_query(request: web.Request) -> RequestsQuery:
    return RequestsQuery(_between(request, "limit", 200, 0, MOST_REQUESTS))


def logs_query(request: web.Request) -> LogsQuery:
    level = request.query.get("level", "debug")
    if level not in LEVELS:
        raise invalid(f"`level` is one of {', '.join(LEVELS)}", "level")
    logger, text = (request.query.get(name, "") for name in ("logger", "text"))
    if max(len(logger), len(text)) > MOST_CHARACTERS:
        raise invalid(f"`logger` and `text` have at most {MOST_CHARACTERS} characters")
    before = _number(request, "before", 0) if "before" in request.query else None
    return LogsQuery(level, logger, text, _between(request, "limit", 500, 1, MOST_LINES), before)


def last_event_id(request: web.Request) -> int | None:
    """Returns the event after which a reader goes on; None for one that has read nothing, or says nothing of ours."""
    return whole_number(request.headers.get("Last-Event-ID", ""))


def _between(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    number = _number(request, name, default)
    if not low <= number <= high:
        raise invalid(f"`{name}` is from {low} to {high}", name)
    return number


def _number(request: web.Request, name: str, default: int) -> int:
    if (given := whole_number(request.query.get(name, str(default)))) is None:
        raise invalid(f"`{name}` is a number", name)
    return given

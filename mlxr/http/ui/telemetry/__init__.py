"""What the server tells of itself: metrics over time, requests, logs and actors, read once or followed."""

from __future__ import annotations

from typing import Any, Final

from mlxr.api.monitor import (
    RESOLUTIONS,
    ActorList,
    CancelledRequest,
    KilledExecutor,
    LogPage,
    MetricsHistory,
    RequestList,
)
from mlxr.http.services import Handler, Route
from mlxr.http.stream import SSE
from mlxr.http.ui.telemetry.handlers import (
    actors,
    cancel_request,
    kill_executor,
    logs,
    logs_events,
    metrics,
    metrics_events,
    requests,
    requests_events,
)
from mlxr.http.ui.telemetry.queries import LOGS_QUERY, MOST_REQUESTS

_METRICS: Final = {"resolution": {"type": "integer", "enum": list(RESOLUTIONS), "default": 1}}
_REQUESTS: Final = {"limit": {"type": "integer", "minimum": 0, "maximum": MOST_REQUESTS, "default": 200}}
_ENGINE: Final = {"engine": {"type": "string", "description": "which, where there are several"}}


def _get(path: str, handle: Handler, summary: str, **more: Any) -> Route:
    return Route("GET", f"/api/ui/{path}", handle, summary, tag="ui", **more)


def _post(path: str, handle: Handler, summary: str, **more: Any) -> Route:
    return Route("POST", f"/api/ui/{path}", handle, summary, tag="ui", **more)


ROUTES = (
    _get("metrics", metrics, "Metrics of 10 minutes, 2 or 24 hours", gives=MetricsHistory, query=_METRICS),
    _get("metrics/events", metrics_events, "Each new point of them", streams=SSE, query=_METRICS),
    _get("requests", requests, "Open requests, and the latest others", gives=RequestList, query=_REQUESTS),
    _get("requests/events", requests_events, "Each change of them", streams=SSE, query=_REQUESTS),
    _post("requests/{id}/cancel", cancel_request, "End a request; its client is told", gives=CancelledRequest),
    _get("logs", logs, "The latest lines of the log", gives=LogPage, query=LOGS_QUERY),
    _get("logs/events", logs_events, "New lines of the log", streams=SSE, query=LOGS_QUERY),
    _get("actors", actors, "The server's actors, with restarts and memory", gives=ActorList),
    _post("actors/executor/kill", kill_executor, "Kill an executor", gives=KilledExecutor, query=_ENGINE),
)

"""The monitor's inbox: what is asked of a server's history, requests, logs and actors."""

from __future__ import annotations

from mlxr.runtime.messages.common import ErrorInfo, Message, Value


class MetricsQuery(Value, frozen=True, tag=True):
    """``resolution``: seconds a point stands for, one of ``mlxr.api.monitor.RESOLUTIONS``."""

    resolution: int = 1


class RequestsQuery(Value, frozen=True, tag=True):
    """``limit``: how many that have ended are told, the latest; those that are open are told in any case."""

    limit: int = 200


class LogsQuery(Value, frozen=True, tag=True):
    """Which lines are wanted.

    level: from which on: debug, info, warning, error, critical.
    logger: what the logger's name begins with.
    text: what is in the message, the request's name or the traceback, in any case of letters.
    limit: how many at most, the latest.
    before: lines with smaller numbers alone; None for all.
    """

    level: str = "debug"
    logger: str = ""
    text: str = ""
    limit: int = 500
    before: int | None = None


class ActorsQuery(Value, frozen=True, tag=True):
    """All actors there are."""


MonitorQuery = MetricsQuery | RequestsQuery | LogsQuery | ActorsQuery


class ReadMonitor(Message, frozen=True):
    """Command: answer ``query`` by a ``MonitorReply``."""

    request: int
    query: MonitorQuery


class FollowMonitor(Message, frozen=True):
    """Command: send ``MonitorEvents`` of what ``query`` is about, from behind the event ``after`` on (None: from
    now on for metrics, and else with all there is first)."""

    request: int
    query: MonitorQuery
    after: int | None = None


class StopFollowing(Message, frozen=True):
    """Command: nobody reads the events of that number any more."""

    request: int


class KillExecutor(Message, frozen=True):
    """Command, in developer mode: kill an engine's executor; the answer is a ``MonitorReply``. ``engine``: empty for
    the only one."""

    request: int
    engine: str = ""


class ExecutorKilled(Message, frozen=True):
    """Event from the supervisor: the process ``pid`` of an executor was killed for ``request``, or was not, for the
    reason ``error``."""

    request: int
    engine: str
    pid: int = 0
    error: ErrorInfo | None = None


MonitorInbox = ReadMonitor | FollowMonitor | StopFollowing | KillExecutor | ExecutorKilled

"""The monitor's shell: one subscription to telemetry, however many people watch, and what it makes of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec

from mlxr.actors.monitor.actor_table import ActorTable
from mlxr.actors.monitor.followers import Followers, events_for, line_events
from mlxr.actors.monitor.log_lines import LogLines
from mlxr.actors.monitor.log_tail import latest_lines
from mlxr.actors.monitor.points import shown
from mlxr.actors.monitor.processes import Processes
from mlxr.actors.monitor.request_log import RequestLog
from mlxr.actors.monitor.sampler import Sampler
from mlxr.actors.monitor.settings import MonitorSettings
from mlxr.actors.monitor.state_reader import StateReader
from mlxr.actors.monitor.store import Store
from mlxr.actors.monitor.tiers import Closed, Tiers
from mlxr.api.monitor import (
    RESOLUTIONS,
    ActorList,
    KilledExecutor,
    LogLine,
    MetricsHistory,
    RequestInfo,
    RequestList,
)
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import MonitorEvent, MonitorEvents, MonitorReply, MonitorStarted
from mlxr.runtime.messages.monitor import (
    ActorsQuery,
    ExecutorKilled,
    FollowMonitor,
    KillExecutor,
    LogsQuery,
    MetricsQuery,
    MonitorQuery,
    ReadMonitor,
    RequestsQuery,
    StopFollowing,
)
from mlxr.runtime.messages.supervisor import KillActor
from mlxr.runtime.paths import Home
from mlxr.runtime.pubsub import Subscriber
from mlxr.runtime.run_directory import TELEMETRY
from mlxr.runtime.telemetry import METRICS

FLUSH_SECONDS: Final = 0.2
"""How long changes of requests and new lines are gathered before they are told."""

SAVE_SECONDS: Final = 10.0

PENDING_EVENTS: Final = 100_000
"""Events that may wait while the loop is busy."""

FRONTEND: Final = Address.of("frontend")


class MonitorActor(Actor):
    """Numbers of events go on from the time of its start, in milliseconds, so that none comes twice in two lives."""

    kind = "monitor"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: MonitorSettings = decode_settings(context, MonitorSettings)
        first = int(time.time() * 1000)
        self._sampler: Sampler
        self._tiers = Tiers()
        self._closed: list[Closed] = []
        self._store = Store(Path(self._settings.home))
        self._requests = RequestLog(first)
        self._told = first
        self._lines = LogLines(first)
        self._fresh: list[LogLine] = []
        self._seeded = 0.0
        self._actors = ActorTable()
        self._processes = Processes()
        self._followers = Followers()
        self._subscriber: Subscriber | None = None
        self._state = StateReader(self._want)

    async def start(self) -> None:
        self.tell(FRONTEND, MonitorStarted())
        endpoint = (self.context.run_directory / TELEMETRY).read_text()
        topics = ["requests", "actors", "logs", METRICS]
        self._subscriber = Subscriber(endpoint, topics, PENDING_EVENTS)
        self._state.start()
        for entry in await anyio.to_thread.run_sync(latest_lines, Home(Path(self._settings.home)).log):
            self._seeded = self._lines.add(entry).t
        kept = await anyio.to_thread.run_sync(self._store.open, time.time())
        for resolution, points in kept.items():
            self._tiers.tier(resolution).restore(points)
        recorded = self._tiers.tier(1).latest()
        self._sampler = Sampler(recorded.t if recorded else 0.0)
        self.spawn(self._subscriber.follow, self._take)
        self.spawn(self._flush)
        self.spawn(self._save)

    async def stop(self) -> None:
        if self._subscriber is not None:
            self._subscriber.close()
        await anyio.to_thread.run_sync(self._store.write, [*self._closed, *self._tiers.unfinished()], time.time())
        self._store.close()

    @on(ReadMonitor)
    def read(self, message: ReadMonitor) -> None:
        self.tell(FRONTEND, MonitorReply(message.request, msgspec.json.encode(self._answer(message.query))))

    @on(FollowMonitor)
    def follow(self, message: FollowMonitor) -> None:
        self._followers.add(message.request, message.query)
        if events := self._backlog(message.query, message.after):
            self.tell(FRONTEND, MonitorEvents([message.request], events))
        self._state.watch(bool(self._followers.of(RequestsQuery)))

    @on(StopFollowing)
    def stop_following(self, message: StopFollowing) -> None:
        self._followers.drop(message.request)
        self._state.watch(bool(self._followers.of(RequestsQuery)))

    @on(KillExecutor)
    def kill_executor(self, message: KillExecutor) -> None:
        if not self._settings.developer:
            reason = "executors are killed in developer mode alone: set ui.developer = true (MLXR_UI_DEVELOPER)"
            self.tell(FRONTEND, MonitorReply(message.request, error=ErrorInfo(ErrorCode.UNSUPPORTED, reason)))
            return
        self.tell(Address.of("supervisor"), KillActor(message.request, message.engine))

    @on(ExecutorKilled)
    def executor_killed(self, message: ExecutorKilled) -> None:
        body = msgspec.json.encode(KilledExecutor(message.engine, message.pid))
        self.tell(FRONTEND, MonitorReply(message.request, body, message.error))

    def _answer(self, query: MonitorQuery) -> Any:
        match query:
            case MetricsQuery():
                kept = self._tiers.tier(query.resolution).since(int(time.time()) - RESOLUTIONS[query.resolution])
                last = kept[-1].t if kept else 0
                return MetricsHistory(query.resolution, last, [shown(point) for point in kept])
            case RequestsQuery():
                return RequestList(self._requests.version, self._requests.rows(query.limit))
            case LogsQuery():
                return self._lines.page(query)
            case ActorsQuery():
                return ActorList(self._settings.developer, self._actors.rows(self._processes.measured))

    def _backlog(self, query: MonitorQuery, after: int | None) -> list[MonitorEvent]:
        """Returns what somebody who begins to follow is told at once."""
        match query:
            case MetricsQuery() if after is not None:
                points = self._tiers.tier(query.resolution).since(after)
                return [MonitorEvent(point.t, "point", msgspec.json.encode(shown(point))) for point in points]
            case RequestsQuery():
                rows = self._requests.since(after) if after is not None else None
                if rows is not None:
                    return self._request_events(rows)
                return [_reset(self._requests.version), *self._request_events(self._requests.rows(query.limit))]
            case LogsQuery():
                lines = self._lines.since(after) if after is not None else None
                if lines is not None:
                    return events_for(query, lines)
                return [_reset(self._lines.last), *line_events(self._lines.page(query).lines)]
            case _:
                return []

    def _request_events(self, rows: list[RequestInfo]) -> list[MonitorEvent]:
        body = msgspec.json.encode({"requests": rows})
        return [MonitorEvent(self._requests.version, "requests", body)] if rows else []

    def _want(self, topic: str, wanted: bool) -> None:
        if self._subscriber is not None:
            self._subscriber.want(topic, wanted)

    def _take(self, body: bytes) -> None:
        """Takes in one event of telemetry."""
        event: dict[str, Any] = msgspec.json.decode(body)
        if not self._state.passes(event):
            return
        match event["event"]:
            case "MetricsSampled":
                self._sampled(event)
            case "EngineState":
                self._sampler.engine(event)
                self._actors.take(event)
            case "LogLine":
                if event["t"] > self._seeded or not self._lines.knows(event):
                    self._fresh.append(self._lines.add(event))
            case _:
                self._requests.take(event)
                self._actors.take(event)
        if event["event"] == "ActorEnded" and event.get("restarting"):
            self._sampler.restarted()

    def _sampled(self, event: dict[str, Any]) -> None:
        """A second is over."""
        self._state.doubt(self._requests.open > event.get("open", 0))
        point = self._sampler.sample(event, self._processes.look(self._actors.pids()))
        if point is None:
            return
        self._closed += self._tiers.add(point)
        for resolution in RESOLUTIONS:
            latest = self._tiers.tier(resolution).latest()
            if latest is not None and (requests := self._followers.of_resolution(resolution)):
                told = MonitorEvent(latest.t, "point", msgspec.json.encode(shown(latest)))
                self.tell(FRONTEND, MonitorEvents(requests, [told]))

    async def _flush(self) -> None:
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            fresh, self._fresh = self._fresh, []
            for told in self._followers.of_lines(fresh):
                self.tell(FRONTEND, told)
            since, self._told = self._told, self._requests.version
            if (requests := self._followers.of(RequestsQuery)) and (changed := self._requests.since(since)):
                self.tell(FRONTEND, MonitorEvents(requests, self._request_events(changed)))

    async def _save(self) -> None:
        while True:
            await anyio.sleep(SAVE_SECONDS)
            points, self._closed = self._closed, []
            await anyio.to_thread.run_sync(self._store.write, points, time.time())


def _reset(number: int) -> MonitorEvent:
    """Tells a reader to forget what it was told: what follows is all there is."""
    return MonitorEvent(number, "reset", b"{}")

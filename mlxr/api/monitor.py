"""What a server tells of itself: metrics over time, requests, logs, actors. The shapes, as JSON has them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final, Protocol

from msgspec import Struct

from mlxr.runtime.messages.frontend import MonitorEvent
from mlxr.runtime.messages.monitor import MonitorQuery

RESOLUTIONS: Final = {1: 600, 10: 7_200, 60: 86_400}
"""Seconds a point stands for, and for how many seconds such points are kept."""

LEVELS: Final = ("debug", "info", "warning", "error", "critical")


class MetricsPoint(Struct, frozen=True):
    """What happened in the seconds from ``t`` (since the epoch) on. None: nothing was measured.

    decode_rate, prefill_rate: tokens a second, written and computed of prompts.
    ttft_*, inter_token_*: percentiles in seconds of what was seen then.
    open: requests in flight; running, waiting: sequences.
    decode_batch, prefill_batch: rows and prompts' tokens a step.
    prefix_hit_ratio: of prompts' tokens, those that were cached.
    disk_hit_ratio: of prompts' tokens, those that were read from the disk.
    disk_bytes: of pages on disk, of which there may be disk_quota; disk_write_rate, disk_read_rate: bytes a second to
        there and back.
    acceptance_ratio: of drafts' tokens that were verified, those that were right.
    memory_bytes: of the server's processes; available_bytes: what the machine has left.
    engine_bytes: of weights and pages, as engines say.
    finished, failed, cancelled: requests; preemptions; restarts of actors.
    loop_lag: by how many seconds the event loop was late at most.
    """

    t: int
    decode_rate: float | None
    prefill_rate: float | None
    ttft_p50: float | None
    ttft_p90: float | None
    ttft_p99: float | None
    inter_token_p50: float | None
    inter_token_p90: float | None
    inter_token_p99: float | None
    open: float | None
    running: float | None
    waiting: float | None
    decode_batch: float | None
    prefill_batch: float | None
    pages_used: float | None
    pages_cached: float | None
    pages_total: float | None
    prefix_hit_ratio: float | None
    disk_hit_ratio: float | None
    disk_bytes: float | None
    disk_quota: float | None
    disk_write_rate: float | None
    disk_read_rate: float | None
    acceptance_ratio: float | None
    memory_bytes: float | None
    available_bytes: float | None
    engine_bytes: float | None
    finished: float
    failed: float
    cancelled: float
    preemptions: float
    restarts: float
    loop_lag: float


class MetricsHistory(Struct, frozen=True):
    """Points of one resolution, the oldest first; a gap in their times is one in what was measured.

    last: the id to follow from (``Last-Event-ID``).
    """

    resolution: int
    last: int
    points: list[MetricsPoint]


class RequestInfo(Struct, frozen=True):
    """A request, from its coming to its outcome. Times are in seconds since the epoch, None for what has not happened.

    state: loading, preparing, queued, prefill or decode while it is open; then finished, failed or cancelled.
    cached_tokens: of its prompt, what was found computed; restored_tokens: of these, what was read from the disk.
    miss: why it was no more, where it might have been.
    stored_bytes: of its pages, what was written to the disk.
    parameters: as it is to be answered; of what the client wrote, how many there are.
    restarts: executors that died while they ran it.
    """

    id: int
    model: str
    state: str
    received: float
    name: str = ""
    route: str = ""
    surface: str = ""
    caller: str = ""
    engine: str = ""
    parameters: dict[str, Any] = {}
    submitted: float | None = None
    queued: float | None = None
    prefill: float | None = None
    first_token: float | None = None
    ended: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    restored_tokens: int = 0
    miss: str = ""
    stored_bytes: int = 0
    completion_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    finish: str = ""
    error: str = ""
    code: str = ""
    restarts: int = 0


class RequestList(Struct, frozen=True):
    """``requests``: those that are open, and the latest that have ended; the newest last."""

    last: int
    requests: list[RequestInfo]


class CancelledRequest(Struct, frozen=True):
    """``id``: of the request, whose client is told that it was cancelled here."""

    id: int


class LogLine(Struct, frozen=True):
    """``id`` grows with each line; ``t``: seconds since the epoch."""

    id: int
    t: float
    level: str
    logger: str
    message: str
    request_id: str = ""
    traceback: str = ""


class LogPage(Struct, frozen=True):
    """``last``: the id to follow from; ``more``: older lines match as well; ``loggers``: names of those that wrote."""

    last: int
    more: bool
    lines: list[LogLine]
    loggers: list[str]


class ActorInfo(Struct, frozen=True):
    """An actor.

    actor: its address; kind and engine: its parts.
    pid: of its process, 0 between two lives; own_process: it shares that with no other.
    restarts: since the server started; started: when its present life did, seconds since the epoch.
    last_end: why its life before ended.
    memory_bytes, cpu_percent: of its process, 0 where they are not known.
    """

    actor: str
    kind: str
    engine: str
    model: str
    pid: int
    own_process: bool
    restarts: int
    started: float
    last_end: str
    memory_bytes: int
    cpu_percent: float


class ActorList(Struct, frozen=True):
    """``developer``: executors may be killed (``ui.developer``)."""

    developer: bool
    actors: list[ActorInfo]


class KilledExecutor(Struct, frozen=True):
    """``pid``: of the process that is gone; another one is on its way."""

    engine: str
    pid: int


class Monitor(Protocol):
    """The monitor, as transports see it."""

    async def read(self, query: MonitorQuery) -> bytes:
        """Returns JSON of what is asked for; raises ``RequestError``."""
        ...

    def follow(self, query: MonitorQuery, after: int | None) -> AsyncGenerator[list[MonitorEvent]]:
        """Yields events as they come, until the server ends or the reader is too slow."""
        ...

    async def kill_executor(self, engine: str) -> bytes:
        """Returns JSON of ``KilledExecutor``; raises ``RequestError`` where that is not allowed, or not possible."""
        ...

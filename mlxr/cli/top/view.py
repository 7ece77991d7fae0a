"""What is known of a server, from its telemetry. Pure: events and times go in, a ``Snapshot`` comes out."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Any

HISTORY = 120
"""Seconds of throughput that are kept."""

MOST_BEGUN = 4096
"""Requests that are remembered; of those whose end was missed, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Process:
    """What the system says of a process: CPU in cores' percent, and bytes that it holds (as ``mlxr ps`` counts: what
    several share in equal parts)."""

    pid: int
    cpu_percent: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ActorRow:
    actor: str
    pid: int
    restarts: int


@dataclass(frozen=True, slots=True)
class EngineRow:
    """``decode``, ``prefill``: tokens a second, of late. ``accepted``: of drafts' tokens verified so far, the part that
    was right; None where none was verified. ``memory_bytes``: what weights and pages may take at most.
    ``disk_bytes``: of pages on disk, of all who share them; ``disk_written_bytes``, ``disk_read_bytes``: this engine's.
    ``disk_failing``: pages can't be stored now. ``undrafted``: why what was to draft does not."""

    engine: str
    model: str
    state: str
    context: int
    memory_bytes: int
    running: int
    waiting: int
    pages_used: int
    pages_cached: int
    pages_total: int
    preemptions: int
    decode: float = 0.0
    prefill: float = 0.0
    accepted: float | None = None
    disk_bytes: int = 0
    disk_quota: int = 0
    disk_written_bytes: int = 0
    disk_read_bytes: int = 0
    disk_failing: bool = False
    undrafted: str = ""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """``rate``: tokens a second since the first. ``cached_tokens``: of its prompt, what was found computed, of which
    ``restored_tokens`` on disk; ``miss``: why no more, where it might have been."""

    request: int
    model: str
    surface: str
    state: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    ttft_seconds: float
    rate: float
    cached_tokens: int = 0
    restored_tokens: int = 0
    miss: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A server at a moment.

    t: seconds since the epoch.
    server: where it listens, or publishes.
    decode, prefill: tokens a second of all engines, one a second, the latest last.
    processes: of the server, by pid, as far as they are on this machine; those without an actor are sandboxes.
    outcomes: how many requests ended how, since the first event.
    last_error: of the latest request that failed.
    last_miss: of the latest request that might have been found computed, and was not: its number, and why.
    """

    t: float
    server: str
    actors: tuple[ActorRow, ...] = ()
    engines: tuple[EngineRow, ...] = ()
    requests: tuple[RequestRow, ...] = ()
    decode: tuple[float, ...] = ()
    prefill: tuple[float, ...] = ()
    processes: tuple[Process, ...] = ()
    outcomes: dict[str, int] = field(default_factory=dict)
    last_error: str = ""
    available_bytes: int = 0
    total_bytes: int = 0
    last_miss: tuple[int, str] | None = None

    def held_by(self, engine: str) -> int:
        """Returns the bytes that an engine's own process holds; 0 where it has none, or is on another machine."""
        pids = {row.pid for row in self.actors if row.actor == f"executor/{engine}" and row.pid}
        shared = {row.pid for row in self.actors if not row.actor.endswith(f"/{engine}")}
        return sum(process.memory_bytes for process in self.processes if process.pid in pids - shared)

    def as_json(self) -> dict[str, Any]:
        """Returns what ``--json`` prints: the throughput of now alone."""
        whole = asdict(self)
        processes = {process.pid: process for process in self.processes}
        for row in whole["actors"]:
            process = processes.get(row["pid"], Process(row["pid"]))
            row |= {"cpu_percent": process.cpu_percent, "memory_bytes": process.memory_bytes}
        whole["decode"], whole["prefill"] = (series[-1] if series else 0.0 for series in (self.decode, self.prefill))
        return whole


class View:
    """Takes events in, as their JSON objects, and knows the state that they tell."""

    def __init__(self) -> None:
        self.actors: list[ActorRow] = []
        self.engines: list[EngineRow] = []
        self.requests: list[RequestRow] = []
        self.decode: deque[float] = deque(maxlen=HISTORY)
        self.prefill: deque[float] = deque(maxlen=HISTORY)
        self.outcomes: dict[str, int] = {"finished": 0, "failed": 0, "cancelled": 0}
        self.last_error = ""
        self.last_miss: tuple[int, str] | None = None
        self._begun: dict[int, dict[str, Any]] = {}
        self.told: set[str] = set()
        self._actors: list[ActorRow] = []
        self._engines: list[EngineRow] = []
        self._requests: list[RequestRow] = []
        self._counted: dict[str, tuple[float, int, int]] = {}

    @property
    def complete(self) -> bool:
        """Tells whether both who know have told all they know."""
        return self.told >= {"supervisor", "frontend"}

    def take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "ActorState":
                self._actors.append(ActorRow(event["actor"], event.get("pid", 0), event.get("epoch", 0)))
            case "EngineState":
                self._engines.append(self._engine(event))
            case "RequestState":
                self._requests.append(_request(event, self._begun.get(event["request"], {})))
            case "PrefillStarted":
                self._begun[event["request"]] = event
                if len(self._begun) > MOST_BEGUN:
                    del self._begun[next(iter(self._begun))]
                if event.get("miss"):
                    self.last_miss = event["request"], event["miss"]
            case "StateShown":
                self._shown(event["actor"])
            case "RequestEnded":
                self.outcomes[event["outcome"]] = self.outcomes.get(event["outcome"], 0) + 1
                self.last_error = event.get("error") or self.last_error
                self.requests = [row for row in self.requests if row.request != event["request"]]
                self._begun.pop(event["request"], None)

    def _shown(self, actor: str) -> None:
        self.told.add(actor)
        if actor == "supervisor":
            self.actors, self._actors = self._actors, []
            return
        self.engines, self._engines = self._engines, []
        self.requests, self._requests = self._requests, []
        self.decode.append(sum(engine.decode for engine in self.engines))
        self.prefill.append(sum(engine.prefill for engine in self.engines))
        there = {engine.engine for engine in self.engines}
        self._counted = {name: counted for name, counted in self._counted.items() if name in there}

    def _engine(self, event: dict[str, Any]) -> EngineRow:
        name, now = event["engine"], event["t"]
        generated = event.get("generated_tokens", 0)
        computed = event.get("prefill_tokens", 0)
        then, generated_then, computed_then = self._counted.get(name, (now, generated, computed))
        self._counted[name] = (now, generated, computed)
        seconds = now - then
        drafted, accepted = event.get("drafted_tokens", 0), event.get("accepted_tokens", 0)
        row = EngineRow(
            name,
            event["model"],
            event.get("state", ""),
            *(event.get(key, 0) for key in ("context", "memory_bytes", "running", "waiting")),
            *(event.get(key, 0) for key in ("pages_used", "pages_cached", "pages_total", "preemptions")),
        )
        on_disk = ("disk_bytes", "disk_quota", "disk_written_bytes", "disk_read_bytes")
        row = replace(
            row,
            accepted=accepted / drafted if drafted else None,
            **{key: event.get(key, 0) for key in on_disk},
            undrafted=event.get("undrafted", ""),
            disk_failing=bool(event.get("disk_quota")) and not event.get("disk_writable"),
        )
        if seconds <= 0:
            return row
        # Counters begin anew with an engine's actors.
        decode, prefill = max(generated - generated_then, 0), max(computed - computed_then, 0)
        return replace(row, decode=decode / seconds, prefill=prefill / seconds)


def _request(event: dict[str, Any], begun: dict[str, Any]) -> RequestRow:
    tokens, seconds, first = (event.get(key, 0) for key in ("completion_tokens", "seconds", "ttft_seconds"))
    rate = tokens / (seconds - first) if first and seconds > first and tokens > 1 else 0.0
    return RequestRow(
        event["request"],
        event["model"],
        event.get("surface", ""),
        event.get("state", ""),
        event.get("prompt_tokens", 0),
        tokens,
        seconds,
        first,
        rate,
        begun.get("cached_tokens", 0),
        begun.get("restored_tokens", 0),
        begun.get("miss", ""),
    )

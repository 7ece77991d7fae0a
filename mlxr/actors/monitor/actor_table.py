"""Which actors there are, since when, and how often each was restarted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlxr.actors.monitor.processes import Process
from mlxr.api.monitor import ActorInfo

NOT_MEASURED = Process()


@dataclass(slots=True)
class _Row:
    epoch: int
    pid: int
    started: float


class ActorTable:
    """Takes in events of the topics ``actors``, ``state`` and ``metrics``."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._last_ends: dict[str, str] = {}
        """Why an actor's life before ended: its row may be gone while it is being started again."""
        self._shown: dict[str, dict[str, Any]] = {}
        self._models: dict[str, str] = {}

    def take(self, event: dict[str, Any]) -> None:
        name = event.get("actor", "")
        match event["event"]:
            case "ActorStarted":
                self._rows[name] = _Row(event.get("epoch", 0), event.get("pid", 0), event["t"])
            case "ActorEnded" if event.get("restarting"):
                self._last_ends[name] = event.get("reason", "")
                if row := self._rows.get(name):
                    row.pid = 0
            case "ActorEnded":
                self._rows.pop(name, None)
                self._last_ends.pop(name, None)
            case "ActorState":
                self._shown[name] = event
            case "StateShown" if name == "supervisor":
                self._all_shown()
            case "EngineState":
                self._models[event["engine"]] = event["model"]

    def pids(self) -> set[int]:
        return {row.pid for row in self._rows.values() if row.pid}

    def rows(self, processes: Mapping[int, Process]) -> list[ActorInfo]:
        """Returns the actors, those of all engines first. ``processes``: what was measured, by pid."""
        shared = [row.pid for row in self._rows.values()]
        found: list[ActorInfo] = []
        for name, row in sorted(self._rows.items(), key=lambda item: ("/" in item[0], item[0].partition("/")[::-1])):
            kind, _, engine = name.partition("/")
            process = processes.get(row.pid, NOT_MEASURED)
            found.append(
                ActorInfo(
                    name,
                    kind,
                    engine,
                    self._models.get(engine, "") if engine else "",
                    row.pid,
                    bool(row.pid) and shared.count(row.pid) == 1,
                    row.epoch,
                    row.started,
                    self._last_ends.get(name, ""),
                    process.memory_bytes,
                    process.cpu_percent,
                )
            )
        return found

    def _all_shown(self) -> None:
        """Every actor has been named: others are gone, and those whose start was not heard are known now."""
        shown, self._shown = self._shown, {}
        for name, event in shown.items():
            if name not in self._rows:
                self._rows[name] = _Row(event.get("epoch", 0), event.get("pid", 0), event["t"])
        self._rows = {name: row for name, row in self._rows.items() if name in shown}

"""Where ``mlxr top`` has it from: a server's telemetry, and what the system says of its processes. A server that is
started again is found again."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

import psutil

from mlxr.cli.top.view import Process, Snapshot, View
from mlxr.runtime.errors import StartError
from mlxr.runtime.paths import Home
from mlxr.runtime.pubsub import Subscriber
from mlxr.runtime.run_directory import TELEMETRY, live, read_addresses
from mlxr.runtime.system_memory import held_by
from mlxr.runtime.telemetry import STATE, STATE_SECONDS

FIRST_SECONDS = 10.0
"""How long a server may take to tell its state."""

SILENT_SECONDS = 3 * STATE_SECONDS
"""From then on a server that tells nothing is looked for anew."""


class Source:
    """Reads one server. ``home``: where to look for it when it is gone; None: it stays the one at ``endpoint``."""

    def __init__(self, endpoint: str, home: Home | None) -> None:
        self.endpoint = endpoint
        self._home = home
        self._view = View()
        self._subscriber = Subscriber(endpoint, [STATE, "requests"])
        self._processes: dict[int, psutil.Process] = {}
        self._heard = time.monotonic()
        self._shown = 0.0

    @property
    def silent(self) -> bool:
        """Tells whether the server has said nothing for a while."""
        return time.monotonic() - self._heard > SILENT_SECONDS

    def close(self) -> None:
        self._subscriber.close()

    def listen(self, seconds: float) -> bool:
        """Takes in what comes within ``seconds``; returns whether the state of a new moment is complete."""
        end, told = time.monotonic() + seconds, False
        while (left := end - time.monotonic()) > 0 and not told:
            received = self._subscriber.receive(left)
            if received is None:
                break
            event = json.loads(received[1])
            self._view.take(event)
            self._heard = time.monotonic()
            told = event["event"] == "StateShown" and event["actor"] == "frontend" and self._view.complete
        if self.silent:
            self._look_again()
        return told

    def first(self) -> Snapshot:
        """Waits for two states, between which rates can be told, and returns the second. Raises ``StartError`` if none
        comes."""
        end = time.monotonic() + FIRST_SECONDS
        for _ in range(2):
            while not self.listen(0.2):
                if time.monotonic() > end:
                    raise StartError(f"nothing is told at {self.endpoint}; is a server running there?")
            found = self.now()
        return found

    def next(self) -> Snapshot:
        """Waits for the next state, however long a server takes to come back, and returns it."""
        while not self.listen(0.2):
            pass
        return self.now()

    def now(self) -> Snapshot:
        """Returns what is known."""
        view, memory = self._view, psutil.virtual_memory()
        return Snapshot(
            time.time(),
            self._server(),
            tuple(view.actors),
            tuple(view.engines),
            tuple(view.requests),
            tuple(view.decode),
            tuple(view.prefill),
            tuple(self._measured()),
            dict(view.outcomes),
            view.last_error,
            memory.available,
            memory.total,
            view.last_miss,
        )

    def _server(self) -> str:
        for directory in live(self._home.run) if self._home else []:
            with suppress(OSError):
                if (directory / TELEMETRY).read_text() == self.endpoint:
                    return " ".join(read_addresses(directory)) or self.endpoint
        return self.endpoint

    def _measured(self) -> list[Process]:
        """Returns what the system says of the server's processes: those of actors, and their children."""
        if not self.endpoint.startswith(("ipc://", "tcp://127.", "tcp://localhost")):
            return []
        wanted = {row.pid for row in self._view.actors if row.pid}
        for pid in list(wanted):
            with suppress(psutil.Error):
                wanted |= {child.pid for child in self._process(pid).children(recursive=True)}
        self._processes = {pid: process for pid, process in self._processes.items() if pid in wanted}
        found: list[Process] = []
        for pid in sorted(wanted):
            with suppress(psutil.Error):
                process = self._process(pid)
                found.append(Process(pid, process.cpu_percent(), held_by(pid) or process.memory_info().rss))
        return found

    def _process(self, pid: int) -> psutil.Process:
        if pid not in self._processes:
            self._processes[pid] = psutil.Process(pid)
            self._processes[pid].cpu_percent()
        return self._processes[pid]

    def _look_again(self) -> None:
        """Turns to the server that runs now, if it is another."""
        if self._home is None:
            return
        for directory in live(self._home.run):
            with suppress(OSError):
                endpoint = Path(directory / TELEMETRY).read_text()
                if endpoint != self.endpoint:
                    self._subscriber.close()
                    self.endpoint, self._view = endpoint, View()
                    self._subscriber = Subscriber(endpoint, [STATE, "requests"])
                    self._heard = time.monotonic()
                return

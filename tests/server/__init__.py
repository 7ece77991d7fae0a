"""A real server in a real process, for end-to-end tests."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
from tests.models import model_path
from tests.server.processes import children_of, command_of

READY_SECONDS = 240.0
"""Of a machine that is slow and busy with others. Who waits goes on at once where it has come about."""


class Server:
    """One ``mlxr up``. ``home`` is its MLXR_HOME, ``descriptors`` its limit on open files, 0 for that of the tests."""

    def __init__(self, home: Path, *arguments: str, descriptors: int = 0) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "mlxr", "up", "--port", str(self.port), *arguments]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLXR_")}
        self.log = home / "server.log"
        with self.log.open("ab") as log:
            # Killed, it would leave its pages in memory where every test leaves them.
            environment = {**inherited, "MLXR_HOME": str(home), "MLXR_KV_SHARED_MEMORY": "false"}
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=partial(prepare, descriptors),
            )

    def wait_ready(self) -> None:
        """Until /health is 200."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}: {self.log.read_text()}")
            try:
                if self.request("/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server is not ready: {self.log.read_text()}")

    def request(self, path: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
        """Status and decoded JSON (or text) of one request."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=READY_SECONDS) as response:
                status, raw = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw.decode()

    def chat(self, content: str, **fields: Any) -> Any:
        """The first choice's text of a chat completion."""
        body = {"model": "smollm2", "messages": [{"role": "user", "content": content}], "temperature": 0, **fields}
        status, answer = self.request("/v1/chat/completions", body)
        assert status == 200, answer
        return answer

    def stream(self, content: str, **fields: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed chat completion, as they come."""
        body = {"model": "smollm2", "messages": [{"role": "user", "content": content}], "temperature": 0, **fields}
        data = json.dumps({**body, "stream": True}).encode()
        request = urllib.request.Request(self.url + "/v1/chat/completions", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=READY_SECONDS) as response:
            for line in response:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    def metric(self, name: str) -> float:
        """The sum over all labels of one metric."""
        _, text = self.request("/metrics")
        lines = [line for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def actors(self) -> list[int]:
        """Process ids of the actors that have one of their own."""
        return [pid for pid in self.children() if "mlxr.runtime.host" in command_of(pid)]

    def children(self) -> list[int]:
        """Process ids of actors and of sandboxes."""
        return children_of(self.process.pid)

    def terminate(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=READY_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def serving(
    home: Path,
    *arguments: str,
    models: Sequence[str] = ("smollm2",),
    folders: Sequence[Path] = (),
    ready: bool = True,
) -> Iterator[Server]:
    """A server over a home that has ``models`` in its catalogue, under their aliases, and model ``folders`` under their
    names."""
    home.mkdir(parents=True, exist_ok=True)
    for path in [*map(model_path, models), *folders]:
        anyio.run(pull_model, Home(home), str(path), ignore)
    server = Server(home, *arguments)
    try:
        if ready:
            server.wait_ready()
        yield server
    finally:
        server.close()


def prepare(descriptors: int) -> None:
    """Runs in the server's process before it is one. ``nohup`` and shells' background jobs have signals ignored, and
    tests that are started so would ask for what can't come."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


def ignore(progress: Progress) -> None:
    """Nobody watches."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(check: Any, seconds: float = READY_SECONDS) -> None:
    """Until ``check()`` is true."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)

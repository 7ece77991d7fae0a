"""A server in a process of its own, as benchmarks need it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECONDS = 120.0
POLL_SECONDS = 0.01
LOG = "server.log"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Server:
    """``model``: what requests must name. ``home``: its MLXR_HOME."""

    process: subprocess.Popen[bytes]
    port: int
    model: str
    home: Path

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            text: str = response.read().decode()
            return text

    def complete(self, **fields: Any) -> dict[str, Any]:
        """One completion that is not streamed."""
        body = json.dumps({"model": self.model, **fields}).encode()
        url = f"http://127.0.0.1:{self.port}/v1/completions"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def metric(self, name: str) -> float:
        """The sum over all labels of one metric."""
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith((name + " ", name + "{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def resident(self) -> int:
        """Bytes the main process holds in memory."""
        return resident(self.process.pid)

    def executor(self) -> int:
        """Process id of the actor that has one of its own."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return max(map(int, children), key=resident)


@contextmanager
def serving(command: list[str], model: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A ready server: ``command`` (arguments of ``python``) with the model and a free port added."""
    with tempfile.TemporaryDirectory(prefix="mlxr-bench-") as folder:
        port, home = free_port(), Path(folder)
        process = started(command, str(model), port, home, environment)
        try:
            wait_ready(process, port, home / LOG)
            yield Server(process, port, str(model), home)
        finally:
            process.terminate()
            process.wait()


def started(
    command: list[str], model: str, port: int, home: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A server that is only just starting; what it prints goes to ``LOG`` in its home."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLXR_")}
    variables = {**inherited, "MLXR_HOME": str(home), "PYTHONPATH": str(ROOT), **(environment or {})}
    with (home / LOG).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *command, model, "--port", str(port)],
            cwd=ROOT,
            env=variables,
            stdout=output,
            stderr=output,
        )


def wait_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until /health is 200; raises ``RuntimeError`` with the server's log if it never is."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the server did not get ready:\n{log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident(pid: int) -> int:
    """Bytes a process holds in memory, its share of mapped files included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024

"""A real server for kinds that are sent to one, and another client's stream beside them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio

from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
from tests.fuzz.small import NAME, small_model
from tests.server import Server, ignore, serving

SECONDS = 60.0
"""After which nothing came where something should have; generous, since the machine may be busy."""
SETTINGS = (
    "--set", "executor.context_length=256", "--set", "kv.pool_tokens=4096", "--set", "server.max_body_bytes=4194304",
    "--set", "server.body_seconds=5.0", "--set", "log.level=warning",
)  # fmt: skip
GROWTH = 200 << 20
"""Bytes that the main process may take beside twice what it was sent."""
STREAM_TOKENS = 100
PAUSE = 0.1
"""Seconds between two streams of the other client's: back to back they would take a processor of two."""
TICK = 0.01


class NoAnswerError(Exception):
    """The server did not do what it must whatever it is sent."""


class Served:
    """A server of a small model. ``gap``: the longest time, in seconds, between two pieces of the other client's
    streams, or before the first of one, without what this process is late itself."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        home = folder / "home"
        home.mkdir()
        anyio.run(pull_model, Home(home), str(small_model()), ignore)
        self.server: Server = self._stack.enter_context(serving(home, NAME, *SETTINGS, models=()))
        self._kept: http.client.HTTPConnection | None = None
        try:
            self._executor = self.executor()
        except BaseException:
            self._stack.close()
            raise
        self._resident = self._reset()
        self.gap = 0.0
        self._new_gap = 0.0
        """The longest since it was last asked for."""
        self.streams = 0
        self._failed: str = ""
        self._ending = threading.Event()
        self._late = 0.0
        """Of ``_keep_time``, since it was last looked at."""
        self._threads = [threading.Thread(target=target) for target in (self._read, self._keep_time)]
        for thread in self._threads:
            thread.start()

    def executor(self) -> int:
        """The process that computes."""
        (found,) = self.server.actors()
        return found

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and the beginning of what answers; the rest of a long answer is not waited for."""
        if self._kept is not None:
            # The server may have closed it since, as it may any connection that nothing is on.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._post(self._kept, path, body, headers)
        try:
            return self._post(self._connection(), path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error

    def _post(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        self._kept = None
        with contextlib.ExitStack() as closing:
            closing.callback(connection.close)
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            begun = response.status, response.read1(1 << 16)
            if response.isclosed() and not response.will_close:
                closing.pop_all()
                self._kept = connection
        return begun

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=SECONDS)

    def raw(self, data: bytes) -> bytes:
        """All that comes back for ``data`` and the end of it."""
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=SECONDS) as connection:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                return b"".join(_received(connection))
        except OSError as error:
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error

    def check(self, sent: int) -> None:
        """Raises ``NoAnswerError`` where the server or the other client came to harm. ``sent``: bytes of the case."""
        if self.server.process.poll() is not None:
            raise NoAnswerError(f"the server ended with {self.server.process.returncode}")
        if self._failed:
            raise NoAnswerError(f"the other client's stream: {self._failed}")
        grown = self._peak() - self._resident
        if grown > GROWTH + 2 * sent:
            self._resident += grown
            raise NoAnswerError(f"the main process took {grown >> 20} MB")

    def new_gap(self) -> float:
        """The longest gap since the last call, in seconds."""
        found, self._new_gap = self._new_gap, 0.0
        return found

    def close(self) -> None:
        """Raises ``NoAnswerError`` where something is not as it was in the beginning."""
        try:
            self._ending.set()
            for thread in self._threads:
                thread.join()
            self.check(0)
            if self.executor() != self._executor:
                raise NoAnswerError("the executor was restarted")
            text = self.server.log.read_text(errors="replace")
            if "Traceback" in text:
                raise NoAnswerError(f"a traceback in the log: {text[text.index('Traceback') :][-1500:]}")
            if not self.streams:
                raise NoAnswerError("no stream of the other client came to its end")
        finally:
            self._stack.close()

    def _read(self) -> None:
        try:
            while not self._ending.wait(PAUSE):
                self._one_stream()
                self.streams += 1
        except (OSError, AssertionError, http.client.HTTPException) as error:
            self._failed = f"{type(error).__name__}: {error}"

    def _keep_time(self) -> None:
        """See how late a thread of this process is that only sleeps: so late may be what it reads, too, at no fault of
        the server's."""
        while not self._ending.is_set():
            due = time.monotonic() + TICK
            time.sleep(TICK)
            self._late += max(0.0, time.monotonic() - due)

    def _one_stream(self) -> None:
        body = {"model": NAME, "prompt": "Once", "max_tokens": STREAM_TOKENS, "stream": True, "temperature": 0}
        with contextlib.closing(self._connection()) as connection:
            before, lines, self._late = time.monotonic(), 0, 0.0
            connection.request("POST", "/v1/completions", json.dumps({**body, "ignore_eos": True}))
            response = connection.getresponse()
            assert response.status == 200, response.read()
            for line in response:
                if not line.startswith(b"data: {"):
                    continue
                now = time.monotonic()
                gap = now - before - self._late
                self.gap, self._new_gap = max(self.gap, gap), max(self._new_gap, gap)
                self._late = 0.0
                before, lines = now, lines + 1
                assert b'"error"' not in line, line
            assert lines >= STREAM_TOKENS, f"ended after {lines} pieces"

    def _reset(self) -> int:
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")
        return self._peak()

    def _peak(self) -> int:
        """The most that the main process has held; 0 where the system does not say."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.server.process.pid}/status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
        return 0


def error_of(status: int, body: bytes) -> str:
    """What is wrong with an error's form; empty where nothing is."""
    if status == 500:
        return f"500: {body[:200]!r}"
    if status < 400:
        return ""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return f"{status} without JSON: {body[:200]!r}"
    return "" if isinstance(answer, dict) and "error" in answer else f"{status} of another shape: {body[:200]!r}"


def _received(connection: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(1 << 16):
            yield data

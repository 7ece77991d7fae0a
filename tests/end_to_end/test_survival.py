"""What happens when parts of a server die, and when it is told to end."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlxr.runtime.paths import Home
from tests.server import Server, eventually, serving
from tests.server.processes import alive, command_of, mapped_files, resident_bytes

LONG = 300
"""Tokens of a text that something happens to in its midst."""
PROMPTS = [f"Tell me a story about the number {i}." for i in range(8)]


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("mortal"), "smollm2", "--set", "kv.pool_tokens=8192") as server:
        yield server


class Reader:
    """Reads one greedy stream: ``chunks`` so far, and ``finish`` once it has ended."""

    def __init__(self, server: Server, prompt: str, **fields: Any) -> None:
        self._server, self._prompt, self._fields = server, prompt, {"max_tokens": 40, **fields}
        self.chunks = 0
        self.finish = ""

    def read(self) -> tuple[str, str]:
        """Text and finish reason."""
        text = ""
        for chunk in self._server.stream(self._prompt, **self._fields):
            assert "error" not in chunk, chunk
            for choice in chunk["choices"]:
                self.chunks += bool(choice["delta"].get("content"))
                text += choice["delta"].get("content") or ""
                self.finish = choice["finish_reason"] or self.finish
        return text, self.finish


def read(server: Server, prompt: str) -> tuple[str, str]:
    """Text and finish reason of one greedy stream."""
    return Reader(server, prompt).read()


def sockets(home: Path) -> list[Path]:
    run = Home(home).run
    return list(run.rglob("*.sock")) if run.exists() else []


def test_streams_finish_with_the_same_text_though_the_executor_is_killed(mortal: Server) -> None:
    def readers() -> list[Reader]:
        return [Reader(mortal, prompt, max_tokens=LONG, ignore_eos=True) for prompt in PROMPTS]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        undisturbed = list(pool.map(Reader.read, readers()))
        generated = mortal.metric("mlxr_completion_tokens_total")
        disturbed = readers()
        streams = [pool.submit(reader.read) for reader in disturbed]
        (executor,) = mortal.actors()
        while not all(reader.chunks for reader in disturbed):
            assert not any(reader.finish for reader in disturbed), "a stream ended before all had begun"
            assert not any(stream.done() for stream in streams), "a stream failed"
            time.sleep(0.002)
        os.kill(executor, signal.SIGKILL)
        before = [reader.chunks for reader in disturbed]
        assert not any(reader.finish for reader in disturbed), "nothing was left to go on with"
        assert [stream.result() for stream in streams] == undisturbed
    assert all(reader.chunks > chunks for reader, chunks in zip(disturbed, before, strict=True))
    assert {reader.finish for reader in disturbed} == {"length"}
    assert mortal.actors() != [executor]
    # What was computed twice was generated once.
    assert mortal.metric("mlxr_completion_tokens_total") == generated + LONG * len(PROMPTS)


def test_a_stream_that_is_held_to_a_format_goes_on_in_it_though_the_executor_is_killed(mortal: Server) -> None:
    def readers() -> list[Reader]:
        formats = [{"guided_regex": f"([a-{last}]+ ){{200,}}"} for last in "xyz"]
        return [Reader(mortal, PROMPTS[0], max_tokens=LONG, **form) for form in formats]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        undisturbed = list(pool.map(Reader.read, readers()))
        disturbed = readers()
        streams = [pool.submit(reader.read) for reader in disturbed]
        (executor,) = mortal.actors()
        while not all(reader.chunks for reader in disturbed):
            assert not any(stream.done() for stream in streams), "a stream ended before all had begun"
            time.sleep(0.002)
        os.kill(executor, signal.SIGKILL)
        assert [stream.result() for stream in streams] == undisturbed
    assert all(set(text) <= set("abcdefghijklmnopqrstuvwxyz ") for text, _ in undisturbed)
    assert mortal.actors() != [executor]


def test_every_request_has_exactly_one_outcome_in_telemetry(mortal: Server) -> None:
    environment = {**os.environ, "MLXR_HOME": str(mortal.home)}
    command = [sys.executable, "-m", "mlxr", "telemetry", "requests"]
    events: list[dict[str, Any]] = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        thread = threading.Thread(target=lambda: events.extend(map(json.loads, reader.stdout or ())))
        thread.start()
        try:
            # Requests until the reader is there, then the ones that count.
            eventually(lambda: mortal.chat("hello", max_tokens=1) and events)
            eventually(lambda: outcomes(events).keys() >= received(events))
            seen = received(events)
            assert mortal.chat("hello", max_tokens=3)
            too_long = [{"role": "user", "content": "a " * 9000}]
            assert mortal.request("/v1/chat/completions", {"model": "smollm2", "messages": too_long})[0] == 400
            for _ in mortal.stream("Tell me a long story.", max_tokens=4000):
                break
            eventually(lambda: len(outcomes(events).keys() - seen) >= 3)
        finally:
            reader.terminate()
            thread.join()
    ended = {request: outcome for request, outcome in outcomes(events).items() if request not in seen}
    assert received(events) - seen == ended.keys()
    assert sorted(ended.values()) == ["cancelled", "failed", "finished"]


def received(events: list[dict[str, Any]]) -> set[int]:
    return {event["request"] for event in list(events) if event["event"] == "RequestReceived"}


def outcomes(events: list[dict[str, Any]]) -> dict[int, str]:
    """The outcome of each request that was seen from its beginning; fails where one has two."""
    ended = [e for e in list(events) if e["event"] == "RequestEnded" and e["request"] in received(events)]
    assert len({event["request"] for event in ended}) == len(ended)
    return {event["request"]: event["outcome"] for event in ended}


def test_the_main_process_never_loads_mlx(mortal: Server) -> None:
    assert "libmlx" not in mapped_files(mortal.process.pid)
    assert "libmlx" in mapped_files(mortal.actors()[0])


def test_the_main_process_stays_below_150_mib_with_two_models(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096", models=("smollm2", "gemma3")) as server:
        for model in ("gemma3", "smollm2"):
            assert server.chat("hello", model=model, max_tokens=2)
        assert len(server.actors()) == 2
        eventually(lambda: resident_bytes(server.process.pid) < 150 << 20)


def test_sigterm_lets_running_requests_finish_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(
        tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096", "--set", "server.drain_seconds=99"
    ) as server:
        children = server.children()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            reader = Reader(server, PROMPTS[0], max_tokens=LONG, ignore_eos=True)
            stream = pool.submit(reader.read)
            eventually(lambda: reader.chunks or stream.done())
            assert not reader.finish, "nothing was left to drain"
            status = server.terminate()
            text, finish = stream.result()
        assert status == 0
        assert text
        assert finish == "length"
        assert not any(alive(pid) for pid in children)
        assert not sockets(server.home)


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with serving(
        tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096", "--set", "server.drain_seconds=50"
    ) as server:
        children = server.children()
        stream = server.stream("Tell me a very long story.", max_tokens=4000)
        next(stream)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "draining" in server.log.read_text())
        assert next(stream)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=40)  # and not when it has drained
        assert "ending at once for a second SIGTERM" in (server.home / "logs" / "mlxr.log").read_text()
        stream.close()
        eventually(lambda: not any(alive(pid) for pid in children))
        assert not sockets(server.home)


def test_killing_the_main_process_leaves_no_orphan_and_no_socket(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096") as server:
        children = server.children()
        assert children
        assert sockets(server.home)
        server.process.kill()
        server.process.wait()
        eventually(lambda: not any(alive(pid) for pid in children))
        eventually(lambda: not sockets(server.home))


def test_actors_work_in_processes_of_their_own_and_the_kv_manager_may_die(tmp_path: Path) -> None:
    placed = [f"placement.{actor}=process" for actor in ("tokenizer", "scheduler", "kv", "registry")]
    settings = [part for setting in (*placed, "kv.pool_tokens=4096") for part in ("--set", setting)]
    with serving(tmp_path / "home", "smollm2", *settings) as server:
        assert len(server.actors()) == 5
        undisturbed = read(server, PROMPTS[0])
        stream = server.stream(PROMPTS[0], max_tokens=40)
        text = [next(stream)]
        os.kill(process_of(server, "kv"), signal.SIGKILL)
        text += list(stream)
        choices = [choice for chunk in text for choice in chunk["choices"]]
        assert "".join(choice["delta"].get("content") or "" for choice in choices) == undisturbed[0]


def process_of(server: Server, kind: str) -> int:
    """The process of an actor, whose address its command line ends with."""
    commands = {pid: command_of(pid) for pid in server.actors()}
    (found,) = [pid for pid, command in commands.items() if f" {kind}/" in command]
    return found


def test_an_executor_killed_again_and_again_loses_nothing_and_keeps_no_page(tmp_path: Path) -> None:
    settings = ("--set", "kv.pool_tokens=4096", "--set", "supervision.restarts=20")
    with serving(tmp_path / "home", "smollm2", *settings) as server, concurrent.futures.ThreadPoolExecutor(2) as pool:
        undisturbed = Reader(server, PROMPTS[0], max_tokens=LONG, ignore_eos=True).read()
        killed = []
        for _ in range(8):
            reader = Reader(server, PROMPTS[0], max_tokens=LONG, ignore_eos=True)
            stream = pool.submit(reader.read)
            while not reader.chunks:
                assert not stream.done(), stream.result()
                time.sleep(0.002)
            killed += server.actors()
            os.kill(killed[-1], signal.SIGKILL)
            assert not reader.finish, "nothing was left to go on with"
            assert stream.result() == undisturbed
        assert len(set(killed)) == 8
        eventually(lambda: server.metric("mlxr_kv_pages_used") == server.metric("mlxr_open_requests") == 0)
        assert server.chat("hello", max_tokens=2)

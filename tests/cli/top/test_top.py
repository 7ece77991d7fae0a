"""``mlxr top`` on servers that run, end and come back."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, environment, lines_of, mlxr
from tests.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with serving(tmp_path_factory.mktemp("top"), "smollm2", "--threads", "1") as running:
        yield running


def test_a_snapshot_has_actors_engines_and_the_request_that_is_open(server: Server) -> None:
    seen_enough = threading.Event()

    def talk() -> None:
        while not seen_enough.is_set():
            server.chat("Tell me a long story.", max_tokens=400, ignore_eos=True)

    talking = threading.Thread(target=talk)
    talking.start()
    with lines_of(server.home, "top", "--json") as top:
        assert top.stdout is not None
        # Actors tell each of their own part: of pages the KV manager, some while after the scheduler of the request.
        found = next(
            seen
            for line in top.stdout
            if (seen := json.loads(line))["requests"]
            and seen["requests"][0]["rate"]
            and seen["engines"][0]["pages_used"]
        )
        seen_enough.set()
        top.terminate()
    talking.join()
    pids = {row["actor"].partition("/")[0]: row["pid"] for row in found["actors"]}
    assert pids["frontend"] == pids["scheduler"] == server.process.pid
    assert pids["executor"] in server.actors()
    assert all(row["memory_bytes"] > 10**6 for row in found["actors"])
    (engine,) = found["engines"]
    assert (engine["model"], engine["state"], engine["running"]) == ("smollm2", "ready", 1)
    assert 0 < engine["pages_used"] < engine["pages_total"]
    (request,) = found["requests"]
    assert (request["model"], request["surface"], request["state"]) == ("smollm2", "openai", "writing")
    assert 0 < request["completion_tokens"] <= 400
    assert found["decode"] > 0
    assert found["server"] == server.url


def test_once_is_text_that_ends(server: Server) -> None:
    done = mlxr(server.home, "top", "--once")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for expected in (server.url, "smollm2", f"{server.process.pid}", "executor/smollm2-1", "no request is open"):
        assert expected in done.stdout


def test_without_a_server_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = mlxr(tmp_path, "top")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "mlxr up" in done.stderr


@pytest.mark.parametrize("verb", ["top", "telemetry"])
def test_an_address_of_another_kind_is_refused_with_the_form_of_one(tmp_path: Path, verb: str) -> None:
    done = mlxr(tmp_path, verb, "--endpoint", "http://127.0.0.1:11435")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "tcp://HOST:PORT" in done.stderr


def test_restarts_of_an_actor_show_and_a_server_that_comes_back_is_found(tmp_path: Path) -> None:
    with serving(tmp_path, "smollm2", "--threads", "1") as first, lines_of(tmp_path, "top", "--json") as top:
        assert top.stdout is not None
        json.loads(top.stdout.readline())
        (executor,) = first.actors()
        os.kill(executor, 9)
        seen = (json.loads(line) for line in top.stdout)
        assert next(s for s in seen if any(row["restarts"] for row in s["actors"]))
        first.process.kill()
        first.process.wait()
        second = Server(tmp_path, "smollm2", "--threads", "1")
        try:
            second.wait_ready()
            found = next(s for s in seen if s["server"] == second.url)
            assert {row["pid"] for row in found["actors"]} & {second.process.pid}
        finally:
            top.terminate()
            second.close()


def test_keys_pause_and_end_the_screen(server: Server) -> None:
    main, other = pty.openpty()
    variables = environment(server.home, TERM="xterm-256color", COLUMNS="80", LINES="24")
    with subprocess.Popen([str(COMMAND), "top"], env=variables, stdin=other, stdout=other, stderr=other) as top:
        os.close(other)
        shown = read_until(main, "q quit")
        assert "frontend" in shown
        os.write(main, b"p")
        read_until(main, "paused")
        os.write(main, b"s")
        read_until(main, "tokens")
        os.write(main, b"q")
        # Who shows a screen must be read to its end.
        while top.poll() is None:
            if select.select([main], [], [], 0.1)[0]:
                try:
                    os.read(main, 65536)
                except OSError:
                    break
        assert top.wait(timeout=60) == 0
    os.close(main)


def read_until(terminal: int, text: str) -> str:
    shown, end = "", time.monotonic() + 60
    while text not in shown:
        assert time.monotonic() < end, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown

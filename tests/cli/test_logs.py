"""``mlxr logs``, of servers that run and of some that were killed."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from mlxr.cli.logs.read import since_when
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.log_file import LogEntry, LogFileHandler, LogFileSettings
from mlxr.runtime.paths import Home
from tests.cli.commands import lines_of, mlxr
from tests.server import Server, serving

PROMPT = "PeculiarWordsOfAClient"
KEY = "key-of-a-client-7"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("logs")
    keys = home / "keys"
    keys.write_text(KEY)
    with serving(home, "smollm2", "--threads", "1", "--log-level", "debug") as running:
        yield running


def told(server: Server, *arguments: str) -> list[LogEntry]:
    done = mlxr(server.home, "logs", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [LogEntry(**json.loads(line)) for line in done.stdout.splitlines()]


def test_a_request_is_found_by_the_name_that_its_client_knows(server: Server) -> None:
    import urllib.request

    body = json.dumps({"model": "smollm2", "prompt": PROMPT, "max_tokens": 3}).encode()
    headers = {"Content-Type": "application/json", "X-Request-Id": "mine-1"}
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/v1/completions", body, headers)) as answer:
        assert answer.headers["X-Request-Id"] == "mine-1"
    server.chat("another", max_tokens=2)
    (line,) = told(server, "--request", "mine-1")
    assert "smollm2 finished" in line.message
    assert "answer 3" in line.message
    assert told(server, "--request", str(line.request)) == [line]


def test_what_clients_write_is_not_in_it(server: Server) -> None:
    for path, body in (
        ("/v1/completions", {"model": "smollm2", "prompt": PROMPT, "max_tokens": 1}),
        ("/v1/chat/completions", {"model": "smollm2", "messages": [{"role": PROMPT, "content": PROMPT}]}),
        ("/api/generate", {"model": "smollm2", "prompt": PROMPT, "options": {"num_predict": PROMPT}}),
        ("/v1/messages", {"model": "nobody", "max_tokens": 1, "messages": [{"role": "user", "content": PROMPT}]}),
        ("/v1/responses", {"model": "smollm2", "input": PROMPT, "text": {"format": {"type": PROMPT}}}),
    ):
        server.request(path, body)
    assert told(server, "-n", "0")
    assert PROMPT not in Home(server.home).log.read_text()


def test_lines_are_chosen_by_level_actor_and_time(server: Server) -> None:
    everything = told(server, "-n", "0")
    registry = told(server, "--actor", "registry", "-n", "0")
    assert registry == [entry for entry in everything if entry.logger == "mlxr.registry"]
    assert told(server, "--actor", "executor", "-n", "0") == [e for e in everything if e.actor.startswith("executor/")]
    assert told(server, "--since", "1h") == everything
    assert told(server, "-n", "1") == everything[-1:]
    assert told(server, "--level", "critical") == []


def test_it_follows_what_comes(server: Server) -> None:
    with lines_of(server.home, "logs", "-f", "-n", "1", "--json") as following:
        assert following.stdout is not None
        following.stdout.readline()
        server.chat("hello", max_tokens=1)
        assert "finished" in json.loads(following.stdout.readline())["message"]
        following.terminate()


def test_it_follows_into_the_file_that_comes_after(tmp_path: Path) -> None:
    handler = LogFileHandler(LogFileSettings(str(Home(tmp_path).log), 4000, 1))
    logger = logging.Logger("mlxr")
    logger.addHandler(handler)
    logger.warning("first")
    handler.flush()
    with lines_of(tmp_path, "logs", "-f", "--json") as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["message"] == "first"
        for number in range(60):
            logger.warning("line %d", number)
            assert json.loads(following.stdout.readline())["message"] == f"line {number}"
        following.terminate()
    handler.flush()
    handler.close()
    assert Home(tmp_path).log.with_suffix(".log.1").exists()


def test_the_log_of_a_server_that_was_killed_is_there_and_that_of_one_that_did_not_start(tmp_path: Path) -> None:
    with serving(tmp_path, "smollm2", "--threads", "1") as server:
        server.process.kill()
        server.process.wait()
        assert "is loaded" in mlxr(tmp_path, "logs").stdout
        failed = mlxr(tmp_path, "up", "smollm2", "--port", "70000")
        assert failed.returncode != 0
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        taken = mlxr(tmp_path, "up", "smollm2", "--port", port, "--api-key", KEY)
        assert taken.returncode == 1
        shown = mlxr(tmp_path, "logs", "--level", "critical").stdout
    assert port in shown
    assert KEY not in Home(tmp_path).log.read_text()


def test_more_lines_than_there_can_be_are_all_there_are(tmp_path: Path) -> None:
    Home(tmp_path).log.parent.mkdir()
    Home(tmp_path).log.write_text('{"t":1,"level":"info","logger":"mlxr","message":"one"}\n')
    done = mlxr(tmp_path, "logs", "-n", "9" * 40)
    assert (done.returncode, done.stdout.count("one"), done.stderr) == (0, 1, "")


def test_without_a_log_it_says_what_writes_one(tmp_path: Path) -> None:
    done = mlxr(tmp_path, "logs")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "mlxr up" in done.stderr


NOW = datetime(2026, 11, 26, 20, 30)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", datetime(2026, 11, 26, 20, 20)),
        ("2h", datetime(2026, 11, 26, 18, 30)),
        ("1.5d", datetime(2026, 11, 25, 8, 30)),
        ("1h30m", datetime(2026, 11, 26, 19, 0)),
        ("9:15", datetime(2026, 11, 26, 9, 15)),
        ("20:15:30", datetime(2026, 11, 26, 20, 15, 30)),
        ("2026-11-25", datetime(2026, 11, 25)),
        ("2026-11-25T20:15", datetime(2026, 11, 25, 20, 15)),
        ("2026-11-25 20:15", datetime(2026, 11, 25, 20, 15)),
        (f"{'9' * 40}d", datetime.fromtimestamp(0)),
    ],
)
def test_a_moment_is_a_time_ago_of_today_or_of_a_date(text: str, moment: datetime) -> None:
    assert since_when(text, NOW) == moment.timestamp()


@pytest.mark.parametrize("text", ["yesterday", "10x", "", "25:99"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="10m, 2h"):
        since_when(text, NOW)

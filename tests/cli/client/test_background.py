"""A server that a command starts for itself."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.cli.client import background
from mlxr.cli.client.background import started
from mlxr.cli.client.client import Client, ServerError, ServerGone, asked, choose, connected
from mlxr.cli.client.endpoint import Endpoint, running
from mlxr.runtime.errors import ConfigError, StartError
from mlxr.runtime.paths import Home
from tests.server import eventually, free_port


def with_server(work: Callable[[Client], Awaitable[Any]], endpoint: str | None = None) -> Any:
    """Does what a command does: ``work`` with the server that is named, or runs here, or else is started."""

    async def run() -> Any:
        async with connected(await choose(endpoint)) as client:
            return await work(client)

    return anyio.run(run)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path))
    for variable in ("MLXR_HOST", "MLXR_API_KEY", "MLXR_API_KEY_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return Home(tmp_path)


def test_two_commands_at_once_start_one_server_which_others_find_and_which_ends_by_itself(home: Home) -> None:
    found: list[Endpoint] = []
    commands = [threading.Thread(target=lambda: found.append(started(home))) for _ in range(2)]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    (first, second) = found
    assert first.process == second.process
    assert first.background
    assert running(home) == [first]
    assert anyio.run(choose) == first
    # It loads and fetches nothing that nobody asked for.
    assert asked(first, "GET", "/api/tags") == {"models": []}
    assert asked(first, "GET", "/health")["status"] == "ok"
    eventually(lambda: running(home) == [], seconds=60)
    assert "nobody asks" in (home.log.parent / background.LOG).read_text()


def test_settings_of_the_server_that_others_reach_are_not_those_of_one_in_the_background(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.config.write_text('[server]\nhost = "0.0.0.0"\napi_keys = ["secret"]\nport = 1\nmax_stop = 3\n')
    endpoint = started(home)
    assert endpoint.url.startswith("http://127.0.0.1:")
    assert asked(endpoint, "GET", "/api/ps") == {"models": []}


def test_a_wrong_configuration_is_named_before_anything_starts(home: Home) -> None:
    home.config.write_text("[server]\nprot = 1\n")
    with pytest.raises(ConfigError, match="did you mean"):
        started(home)
    assert running(home) == []


def test_a_server_that_does_not_start_is_reported_with_its_reason(home: Home) -> None:
    home.database.mkdir()
    with pytest.raises(StartError, match=r"did not start: .*can't use"):
        started(home)


def test_a_server_without_a_word_is_reported_with_the_way_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk its own words find no room either."""
    monkeypatch.setattr(background.sys, "executable", "/bin/false")
    with pytest.raises(StartError, match=r"did not start: .*`mlxr up` shows"):
        started(home)
    monkeypatch.setattr(background, "LEAST_ROOM", 1 << 62)
    with pytest.raises(StartError, match=r"no space is left in .*; make room, or set MLXR_HOME"):
        started(home)


def test_where_nothing_answers_is_said_with_the_way_out(home: Home) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServerGone, match=r"no server answers at http.*mlxr up"):
        with_server(lambda client: client.get("/"), nowhere)
    with pytest.raises(ServerGone, match="no server is running"):
        anyio.run(lambda: choose(start=False))


def test_what_a_server_refuses_is_said_in_its_words(home: Home) -> None:
    with pytest.raises(ServerError, match="model 'nope' not found") as refused:
        with_server(lambda client: client.post("/api/show", {"model": "nope"}))
    assert refused.value.status == 404

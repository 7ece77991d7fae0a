"""``mlxr ps`` and ``mlxr stop``, by the installed command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import mlxr
from tests.server import serving


def test_loaded_models_are_listed_until_they_are_stopped(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        home = server.home
        head, line = mlxr(home, "ps").stdout.splitlines()
        assert head.split() == ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
        assert line.startswith("smollm2:latest")
        assert line.endswith("Forever")
        (told,) = json.loads(mlxr(home, "ps", "--json").stdout)
        assert told["server"] == server.url
        assert told["size"] == pytest.approx(server.request("/api/ps")[1]["models"][0]["size"], rel=0.02)
        assert mlxr(home, "stop", "nope").stderr == "mlxr: model 'nope' is not loaded; `mlxr ps` shows what is\n"
        stopped = mlxr(home, "stop", "SmolLM2")
        assert (stopped.returncode, stopped.stdout) == (0, "unloaded SmolLM2\n")
        after = mlxr(home, "ps", "--endpoint", server.url)
        assert len(after.stdout.splitlines()) == 1
        assert "no model is loaded" in after.stderr
        assert json.loads(mlxr(home, "stop", "--all", "--json").stdout) == []


def test_without_a_server_nothing_is_loaded_and_none_is_started(tmp_path: Path) -> None:
    listed = mlxr(tmp_path, "ps", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    assert "mlxr up" in mlxr(tmp_path, "ps").stderr
    assert mlxr(tmp_path, "stop", "smollm2").returncode == 1
    assert mlxr(tmp_path, "stop").returncode == 2
    assert list(tmp_path.iterdir()) == []

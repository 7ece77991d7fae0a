"""``mlxr ps`` and ``mlxr stop``, by the installed command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlxr.actors.executor.pool_files import file
from mlxr.cli.app import make_app
from tests.cli.commands import mlxr
from tests.server import serving


def test_loaded_models_are_listed_until_they_are_stopped(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        home = server.home
        head, line = mlxr(home, "ps").stdout.splitlines()
        assert head.split() == ["NAME", "DIGEST", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
        assert line.split()[0] == "smollm2"
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


def test_a_draft_model_that_is_not_to_be_had_stops_nobody_and_is_told_of(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "smollm2", "--set", "speculation.draft_model=gone") as server:
        assert server.request("/v1/completions", {"prompt": "a", "max_tokens": 1})[0] == 200
        listed = mlxr(server.home, "ps")
        assert "smollm2 goes without a draft model: speculation.draft_model can't be had" in listed.stderr
        (told,) = json.loads(mlxr(server.home, "ps", "--json").stdout)
        assert "gone" in told["draft_model_error"]
        findings = json.loads(mlxr(server.home, "doctor", "--json").stdout)["findings"]
        (finding,) = [each for each in findings if each["check"] == "draft models"]
        assert (finding["level"], "smollm2 goes without" in finding["text"]) == ("warn", True)


def test_without_a_server_nothing_is_loaded_and_none_is_started(tmp_path: Path) -> None:
    listed = mlxr(tmp_path, "ps", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    assert "mlxr up" in mlxr(tmp_path, "ps").stderr
    assert mlxr(tmp_path, "stop", "smollm2").returncode == 1
    assert mlxr(tmp_path, "stop").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_models_of_several_servers_stop_each_with_its_server_whatever_is_not_loaded(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as first, serving(tmp_path / "home", models=()) as second:
        stopped = mlxr(first.home, "stop", "smollm2", "smolm2x")
        assert stopped.returncode == 1
        assert sorted(stopped.stdout.splitlines()) == sorted(
            f"unloaded smollm2 at {each.url}" for each in (first, second)
        )
        assert "model 'smolm2x' is not loaded; did you mean 'smollm2'? `mlxr ps` shows what is" in stopped.stderr
        assert "no model is loaded" in mlxr(first.home, "stop", "--all").stderr
        asked = mlxr(first.home, "run", "smollm2", "hi", "-n", "1")
        assert asked.returncode == 0
        one, other = sorted((first.url, second.url), key=lambda url: f"this asks {url}" not in asked.stderr)
        assert f"this asks {one}, --endpoint names another: {other}" in asked.stderr


def test_memory_that_a_killed_server_left_is_told_of_and_goes_with_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(file, "FOLDER", tmp_path)
    pool = file.PoolFile(file.pool_path(tmp_path / "home" / "kv", b"c" * 16), b"c" * 16)
    pool.lay_out([4], 1 << 20)
    pool.close()
    assert "of memory for their next start; `mlxr stop --all` frees it" in CliRunner().invoke(make_app(), ["ps"]).stderr
    assert pool.path.exists()
    assert "that servers which were killed had left" in CliRunner().invoke(make_app(), ["stop", "--all"]).stdout
    assert not pool.path.exists()
    assert "no server is running" in CliRunner().invoke(make_app(), ["stop", "--all"]).stderr

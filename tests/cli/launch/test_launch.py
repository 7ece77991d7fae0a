"""``mlxr launch`` with agents that tell what they were given, on a real server."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import live
from tests.actors.registry.packages import tiny_gguf
from tests.cli.commands import mlxr
from tests.server import Server, serving

AGENT = f"""#!{sys.executable}
import json, os, sys, urllib.request
base = os.environ["ANTHROPIC_BASE_URL"]
body = {{"model": os.environ["ANTHROPIC_MODEL"], "max_tokens": 4, "messages": [{{"role": "user", "content": "hi"}}]}}
kind = {{"Content-Type": "application/json"}}
request = urllib.request.Request(base + "/v1/messages", json.dumps(body).encode(), kind)
answer = json.load(urllib.request.urlopen(request))
print(json.dumps({{"arguments": sys.argv[1:], "model": answer["model"], "variables": dict(os.environ)}}))
sys.exit(7)
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ``claude`` that asks the server something, and ends with 7."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("claude", "pi"):
        (folder / name).write_text(AGENT if name == "claude" else '#!/bin/sh\ncat "$PI_CODING_AGENT_DIR/models.json"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("launch"), "smollm2", "--threads", "1") as running:
        yield running


def path_with(programs: Path) -> dict[str, str]:
    return {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(programs / "home")}


def test_an_agent_gets_the_server_the_model_and_its_arguments(server: Server, programs: Path) -> None:
    done = mlxr(
        server.home, "launch", "claude", "--", "-p", "say hi", ANTHROPIC_API_KEY="sk-mine", CLAUDE_CODE_USE_BEDROCK="1",
        **path_with(programs),
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    told = json.loads(done.stdout)
    assert told["arguments"] == ["-p", "say hi"]
    assert told["model"] == "smollm2"
    variables = told["variables"]
    assert variables["ANTHROPIC_BASE_URL"] == server.url
    assert variables["ANTHROPIC_API_KEY"] == ""
    assert "CLAUDE_CODE_USE_BEDROCK" not in variables
    assert "8,192 tokens" in done.stderr


def test_files_are_written_for_the_agent_alone(server: Server, programs: Path) -> None:
    done = mlxr(server.home, "launch", "pi", "--model", "smollm2", **path_with(programs))
    assert done.returncode == 0, done.stderr
    models = json.loads(done.stdout)["providers"]["mlxr"]
    assert models["baseUrl"] == f"{server.url}/v1"
    assert models["models"] == [{"id": "smollm2", "contextWindow": 8192, "maxTokens": 2048}]
    file = server.home / "agents" / "pi" / "models.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not (programs / "home").exists()


def test_print_shows_what_would_be_set_and_does_nothing(server: Server, tmp_path: Path) -> None:
    done = mlxr(server.home, "launch", "opencode", "--print", PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert f"{server.url}/v1" in done.stdout
    assert done.stdout.strip().endswith("opencode")
    assert not (server.home / "agents" / "opencode").exists()
    assert "smollm2 is taken, since it is loaded; --model names another" in done.stderr
    assert "has a context of 8,192 tokens, and opencode begins with about" in done.stderr
    alone = mlxr(tmp_path, "launch", "codex", "--model", "qwen3", "--print", "--", "exec", "hi")
    assert alone.returncode == 0
    assert alone.stdout.rstrip().endswith("-m qwen3 exec hi")
    assert "no server runs" in alone.stderr
    assert live(Home(tmp_path).run) == []


def test_print_without_a_server_names_the_model_that_would_be_taken(tmp_path: Path) -> None:
    home = tmp_path / "home"
    tiny_gguf(tmp_path / "one.gguf", "one")
    for arguments in (["pull", str(tmp_path / "one.gguf")], ["cp", "one", "two"]):
        assert mlxr(home, *arguments).returncode == 0
    newest = mlxr(home, "launch", "claude", "--print")
    assert "export ANTHROPIC_MODEL=two\n" in newest.stdout
    assert "two is taken, since it is the newest here" in newest.stderr
    default = mlxr(home, "launch", "claude", "--print", MLXR_MODELS_DEFAULT="One")
    assert "export ANTHROPIC_MODEL=one\n" in default.stdout
    assert "export ANTHROPIC_MODEL=other\n" in mlxr(home, "launch", "claude", "--print", "-m", "other").stdout


def test_an_agent_that_is_not_installed_is_named_with_how_to_get_it(server: Server) -> None:
    done = mlxr(server.home, "launch", "codex", PATH="/usr/bin:/bin", HOME="/nowhere")
    assert done.returncode == 1
    assert done.stderr == "mlxr: Codex (codex) is not installed; get it by: npm install -g @openai/codex\n"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["copex"], 2, "did you mean `mlxr launch codex`?"),
        (["zzzzzz"], 2, "there are claude, codex"),
        (["gemini"], 2, "Google's own API"),
        (["claude", "--model", "nobody"], 1, "'nobody'"),
    ],
)
def test_what_can_not_be_launched_is_said_in_one_line(
    server: Server, programs: Path, arguments: list[str], status: int, says: str
) -> None:
    done = mlxr(server.home, "launch", *arguments, **path_with(programs))
    assert done.returncode == status
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_where_no_server_runs_one_is_started_and_kept(tmp_path: Path, programs: Path) -> None:
    with serving(tmp_path, "smollm2", ready=False):
        pass  # The model is in the catalogue now, and no server runs.
    done = mlxr(tmp_path, "launch", "claude", "--", "x", MLXR_MODELS_KEEP_ALIVE="1", **path_with(programs))
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout)["model"] == "smollm2"
    for directory in live(Home(tmp_path).run):
        os.kill(int(directory.name), 15)


def test_the_list_says_which_are_installed(server: Server, programs: Path) -> None:
    done = mlxr(server.home, "launch", "--json", **path_with(programs))
    found = {agent["name"]: agent["path"] for agent in json.loads(done.stdout)}
    assert found["claude"] == str(programs / "claude")
    assert found["codex"] == ""
    shown = mlxr(server.home, "launch", **path_with(programs)).stdout
    assert "npm install -g @openai/codex" in shown

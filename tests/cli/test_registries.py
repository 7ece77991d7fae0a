"""``mlxr pull`` and ``mlxr push`` with a registry of Ollama's kind, as processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest

from tests.actors.registry.ollama.registry_server import Registry, registry_server
from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with registry_server() as server:
        yield server


async def mlxr(home: Path, registry: Registry, *arguments: str) -> CompletedProcess[bytes]:
    environment = {**os.environ, "MLXR_HOME": str(home), "MLXR_MODELS_REGISTRY": registry.url}
    with anyio.fail_after(120):
        command = [sys.executable, "-m", "mlxr", *arguments]
        return await anyio.run_process(command, env=environment, check=False)


async def test_a_model_is_pulled_by_ollamas_name_and_pushed_to_another(registry: Registry, tmp_path: Path) -> None:
    home = tmp_path / "home"
    registry.add("library/tiny:1b", tiny_gguf(tmp_path / "x.gguf"), [("system", b"Be brief.")])
    done = await mlxr(home, registry, "pull", "tiny:1b")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"tiny:1b  ")
    target = f"http://{registry.host}/me/mine:v1"
    done = await mlxr(home, registry, "push", "tiny:1b", target)
    assert (done.returncode, done.stdout.decode()) == (0, f"pushed tiny:1b as {target}\n")
    pushed, pulled = (json.loads(registry.manifests[name]) for name in ("me/mine:v1", "library/tiny:1b"))
    assert pushed["layers"] == pulled["layers"]
    again = await mlxr(tmp_path / "other", registry, "pull", "me/mine:v1", "--json")
    assert json.loads(again.stdout)["path"].endswith(pulled["layers"][0]["digest"].removeprefix("sha256:"))
    (listed,) = json.loads((await mlxr(home, registry, "list", "--json")).stdout)
    assert listed["digest"] == json.loads(again.stdout)["digest"]


async def test_what_goes_wrong_is_one_line(registry: Registry, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "bert").mkdir()
    for name, data in tiny_bert().items():
        (tmp_path / "bert" / name).write_bytes(data)
    registry.manifests["library/page:latest"] = b"<html>"
    assert (await mlxr(home, registry, "pull", str(tmp_path / "bert"))).returncode == 0
    before = files_under(home / "models")
    for arguments, said in (
        (["pull", "nope:1b"], "there is no model 'nope:1b'"),
        (["pull", "page"], "is a web page"),
        (["pull", "http://example.com/a/b:c"], "--insecure"),
        (["push", "nope"], "model 'nope' not found"),
        (["push", "bert"], "'bert' is a folder of safetensors"),
        (["push", "bert", "a b"], "is no name at a registry"),
    ):
        done = await mlxr(home, registry, *arguments)
        assert done.returncode == 1
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith("mlxr: ")
        assert said in line
    assert files_under(home / "models") == before

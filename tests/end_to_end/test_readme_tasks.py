"""Every line that the README's tasks have for a shell, run as printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import model_path
from tests.server import free_port

README = (Path(__file__).parents[2] / "README.md").read_text()
SECONDS = 300
SERVES = re.compile(r"mlxr up( |$)")

OTHERS = {
    # They ask the server that they were told of for its models, as the real ones do first.
    "open-webui": 'curl -fsS "$OPENAI_API_BASE_URL/models" | grep -q \'"some"\'\n',
    "docker": 'for part in "$@"; do case "$part" in OPENAI_API_BASE_URL=*) export "$part";; esac; done\n'
    'test "$1" = run\ncurl -fsS "$OPENAI_API_BASE_URL/models" | grep -q \'"some"\'\n',
    "codex": 'for part in "$@"; do case "$part" in model_providers.mlxr.base_url=*) url="${part#*=}";; esac; done\n'
    'curl -fsS "$(echo "$url" | tr -d \\")/models" | grep -q \'"some"\'\n',
    "systemctl": 'case "$*" in *show\\ mlxr*) echo ActiveState=active;; esac\n',
    "loginctl": "",
}
"""Programs that are not here, each with what stands for it."""


def blocks(heading: str) -> list[list[str]]:
    """The lines of each shell block below a heading, those that go on in one."""
    section = re.search(rf"^(#+) {heading}\n(.*?)(?=^\1? ?#|\Z)", README, re.M | re.S)
    assert section is not None
    depth = len(section[1])
    text = re.split(rf"^#{{1,{depth}}} ", section[2], maxsplit=1, flags=re.M)[0]
    found = re.findall(r"```sh\n(.*?)```", text, re.S)
    return [block.replace("\\\n", " ").strip().splitlines() for block in found]


def tasks() -> list[str]:
    section = README[README.index("## By task\n") : README.index("## Point your clients at it\n")]
    return [*re.findall(r"^### (.*)$", section, re.M), "Watch it"]


class Shell:
    """A user's shell on a machine where ``~/models/some.gguf`` and ``~/models/MiniLM`` are, and the server has a port
    of its own."""

    def __init__(self, folder: Path) -> None:
        self.user = folder / "user"
        self.port = free_port()
        programs = folder / "bin"
        for made in (programs, self.user / "models"):
            made.mkdir(parents=True)
        shutil.copyfile(model_path("smollm2"), self.user / "models" / "some.gguf")
        shutil.copytree(model_path("minilm"), self.user / "models" / "MiniLM")
        for name, script in OTHERS.items():
            (programs / name).write_text(f"#!/bin/sh -eu\n{script}")
            (programs / name).chmod(0o755)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MLXR_", "XDG_"))}
        self.environment = {
            **inherited,
            "HOME": str(self.user),
            "MLXR_HOME": str(folder / "home"),
            "MLXR_SERVER_PORT": str(self.port),
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.servers: list[subprocess.Popen[bytes]] = []

    def run(self, line: str) -> None:
        """Runs one line to its end; one that serves goes on beside the others."""
        command = line.replace("11435", str(self.port))
        if SERVES.match(command):
            self.servers.append(subprocess.Popen(["sh", "-c", f"exec {command}"], env=self.environment))
            self._wait_ready()
            return
        done = subprocess.run(
            ["sh", "-euc", command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.servers[-1].poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health"):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server is not ready")

    def close(self) -> None:
        for server in self.servers:
            server.terminate()
            server.wait()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """What the first task leaves is there for the others, as with who reads on: a model, and a server."""
    made = Shell(tmp_path_factory.mktemp("readme"))
    try:
        for block in blocks("Serve your own GGUF"):
            for line in block:
                made.run(line)
        yield made
    finally:
        made.close()


def test_each_task_has_lines_for_a_shell() -> None:
    some = {"Serve your own GGUF", "Use with Open WebUI", "Coding agent", "Several models at once", "As a service"}
    assert some | {"Watch it"} <= set(tasks())
    assert all(blocks(task) for task in tasks())


def test_serving_ones_own_file_goes_as_printed(shell: Shell) -> None:
    assert shell.servers


def test_a_browser_is_served_as_printed(tmp_path: Path) -> None:
    made = Shell(tmp_path / "machine")
    try:
        made.run("mlxr pull ~/models/some.gguf")
        for block in blocks(IN_A_BROWSER):
            for line in block:
                made.run(line)
        assert made.servers
        asked = urllib.request.Request(f"http://127.0.0.1:{made.port}/", headers={"Accept": "text/html"})
        with urllib.request.urlopen(asked) as page:
            assert b"<html" in page.read().lower()
    finally:
        made.close()


IN_A_BROWSER, OWN_FILE = "In a browser", "Serve your own GGUF"
"""Tasks that start servers, each with a test of its own."""
ON_A_TERMINAL = "Chat in a terminal"
"""A task that has a test with a terminal, ``tests/cli/run/test_readme.py``."""

ELSEWHERE = (IN_A_BROWSER, OWN_FILE, ON_A_TERMINAL)
LATER = [(task, line) for task in tasks() if task not in ELSEWHERE for block in blocks(task) for line in block]


@pytest.mark.parametrize(("task", "line"), LATER, ids=[f"{task}: {line.split('#')[0].strip()}" for task, line in LATER])
def test_a_line_goes_as_printed(shell: Shell, task: str, line: str) -> None:
    shell.run(line)

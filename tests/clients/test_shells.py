"""Completion as people meet it: in bash, zsh and fish themselves, on a terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.actors.registry.packages import tiny_gguf
from tests.cli.commands import COMMAND, environment, mlxr
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.clients

COLUMNS, LINES = 90, 30
READY = "ready to type"

SHELLS = {
    "bash": (["bash", "--norc", "-i"], ["PS1='> '", 'eval "$(mlxr completion bash)"']),
    "zsh, sourced": (
        ["zsh", "-f", "-i"],
        ["PS1='> '; autoload -Uz compinit; compinit -u", 'eval "$(mlxr completion zsh)"'],
    ),
    "zsh, from a folder": (["zsh", "-f", "-i"], ["PS1='> '; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u"]),
    "fish": (["fish", "--no-config", "-i"], ["mlxr completion fish | source"]),
}
"""How each is started, and what its user types once."""

TYPED = [
    ("mlxr sho", "mlxr show"),
    ("mlxr show --verb", "mlxr show --verbose"),
    ("mlxr show lla", "mlxr show llama3.2:1b"),
    ("mlxr show llama3.2:", "mlxr show llama3.2:1b"),
    ("mlxr rm oth hf.co/org/", "mlxr rm oth hf.co/org/repo:Q4_K_M"),
    ("mlxr pull smo", "mlxr pull smollm2"),
    ("mlxr run ./sub/o", "mlxr run ./sub/one.gguf"),
    ("mlxr create new -f ./som", "mlxr create new -f ./some.modelfile"),
    ("mlxr config set server.idl", "mlxr config set server.idle_seconds"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shells")
    (folder / "sub").mkdir()
    tiny_gguf(folder / "sub" / "one.gguf", "one")
    (folder / "some.modelfile").write_text("FROM one\n")
    home = folder / "home"
    assert mlxr(home, "pull", str(folder / "sub" / "one.gguf")).returncode == 0
    for name in ("llama3.2:1b", "hf.co/org/repo:Q4_K_M", "other"):
        assert mlxr(home, "cp", "one", name).returncode == 0
    (folder / "_mlxr").write_text(mlxr(home, "completion", "zsh").stdout)
    return home


@contextmanager
def shell(home: Path, name: str) -> Iterator[Terminal]:
    """One that knows of the completions, in the folder beside ``home``."""
    command, typed = SHELLS[name]
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8", "INPUTRC": "/dev/null"}
    process = pexpect.spawn(
        command[0],
        command[1:],
        env=environment(home, **variables),
        cwd=str(home.parent),
        encoding="utf-8",
        dimensions=(LINES, COLUMNS),
    )
    terminal = Terminal(process, COLUMNS, LINES)
    try:
        for line in [*typed, f"echo {READY.replace(' ', '_')}"]:
            terminal.say(line)
        terminal.wait_for(f"^{READY.replace(' ', '_')}")
        yield terminal
    finally:
        process.close(force=True)


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_completes_verbs_options_models_and_files(home: Path, name: str) -> None:
    with shell(home, name) as terminal:
        for typed, completed in TYPED:
            terminal.type(f"{typed}\t")
            terminal.wait_for(rf"{completed.replace('.', '[.]')}(?![^ ])", 20)
            # Away with the line; the next one is at the end of another.
            terminal.type("\x15")


def test_scripts_are_what_their_shells_can_read(home: Path) -> None:
    for name in ("bash", "zsh", "fish"):
        script = mlxr(home, "completion", name).stdout
        read = subprocess.run(
            [name, "--no-execute" if name == "fish" else "-n"], input=script, capture_output=True, text=True
        )
        assert (read.returncode, read.stderr) == (0, "")

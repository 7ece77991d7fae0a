"""The README's "Chat in a terminal": each of its lines does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

from mlxr.cli.client.endpoint import running
from mlxr.runtime.paths import Home
from tests.cli.commands import COMMAND, environment, mlxr
from tests.cli.terminal import on_terminal
from tests.server import serving

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()


def lines() -> list[str]:
    """The command lines of the section, without what they say behind them."""
    section = README[README.index("### Chat in a terminal") :]
    (block,) = re.findall(r"```sh\n(.*?)```", section[: section.index("\n### ")], re.DOTALL)
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


def test_every_line_works_with_nothing_running_before(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, models=("smollm2", "minilm")):
        pass  # the models are in the catalogue now
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "README.md").write_text(README)
    shown: dict[str, subprocess.CompletedProcess[str]] = {}
    try:
        for line in lines():
            if shlex.split(line) == ["mlxr", "run", "smollm2"]:
                with on_terminal(home, "run", "smollm2") as terminal:
                    terminal.wait_for("^>>> Send")
                    terminal.say("/?")
                    terminal.wait_for("/bye +Leave")
                    terminal.type("\x04")
                    assert terminal.wait_end() == 0
                continue
            shown[line] = subprocess.run(
                ["bash", "-c", line],
                cwd=tmp_path,
                env=environment(home, PATH=path),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert shown[line].returncode == 0, (line, shown[line].stderr)
        verbose, piped, as_json, embedded, ps, stop = shown.values()
        assert "eval rate" in verbose.stderr
        assert verbose.stdout.strip()
        assert piped.stdout.strip()
        assert json.loads(as_json.stdout) in ("yes", "no")
        assert embedded.stdout == ""
        assert len(json.loads((tmp_path / "vector.json").read_text())) == 384
        assert {line.split()[0] for line in ps.stdout.splitlines()[1:]} == {"smollm2", "minilm"}
        assert stop.stdout == "unloaded smollm2\n"
        assert all(server.background for server in running(Home(home), {}))
    finally:
        mlxr(home, "stop", "--all")

"""Every client program comes to its end on a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import Server

pytestmark = pytest.mark.clients

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
OFFLINE = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGSMITH_TRACING": "false",
    "PYTHONPATH": str(ROOT),
    "PYTHONWARNINGS": "ignore",
}


def end_of(command: list[str], server: Server, home: Path) -> None:
    environment = {**os.environ, **OFFLINE, "LLM_USER_PATH": str(home)}
    done = subprocess.run(
        [*command, server.url], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"[-6000:]


@pytest.mark.parametrize("name", sorted(path.stem for path in PROGRAMS.glob("use_*.py")))
def test_a_python_program_comes_to_its_end(server: Server, tmp_path: Path, name: str) -> None:
    end_of([sys.executable, "-m", f"tests.clients.programs.{name}"], server, tmp_path)


@pytest.mark.parametrize("name", sorted(path.name for path in PROGRAMS.glob("use_*.mjs")))
def test_a_node_program_comes_to_its_end(server: Server, tmp_path: Path, name: str) -> None:
    end_of(["node", str(PROGRAMS / name)], server, tmp_path)

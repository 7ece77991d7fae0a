"""Agents that are cheap to have, started by ``mlxr launch`` and asked something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import Server

pytestmark = pytest.mark.clients

PROGRAMS = Path(sys.executable).parent


def test_llm_answers_with_a_model_that_is_here(server: Server, tmp_path: Path) -> None:
    command = [str(PROGRAMS / "mlxr"), "launch", "llm", "--model", "smollm2", "--"]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "MLXR_HOME": str(server.home),
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [*command, "-o", "max_tokens", "8", "Is the sky blue?"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not (tmp_path / ".config").exists()

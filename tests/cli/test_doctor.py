"""What ``mlxr doctor`` says, in a process that has loaded nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mlxr


def test_doctor_finds_the_backend_that_a_server_would_use(tmp_path: Path) -> None:
    found = run(tmp_path, "-m", "mlxr", "doctor", "--json")
    facts = json.loads(found)
    served = run(
        tmp_path, "-c", "import mlx.core; from mlxr.metal.select import select_backend as s; print(s()[1].name)"
    )
    reason = facts["backend"].removeprefix(f"{served.strip()}: ")
    assert reason != facts["backend"]
    assert "native" in reason
    assert facts["mlxr"] == mlxr.__version__
    assert facts["home"].startswith(str(tmp_path))


def run(home: Path, *arguments: str) -> str:
    environment = {**os.environ, "MLXR_HOME": str(home)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

"""What ``mlxr doctor`` says, in a process that has loaded nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mlxr
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import RunDirectory, write_addresses

NATIVE = "cpu: native CPU kernels"
PLAIN = "reference: plain MLX operations, since the native CPU backend can't be used: it does not load"
WITHOUT_NATIVE = """
import sys
sys.modules["mlxr.metal.cpu._native"] = None
from mlxr.cli import main
sys.exit(main())
"""


def test_doctor_finds_the_backend_that_a_server_would_use(tmp_path: Path) -> None:
    found = run(tmp_path, "-m", "mlxr", "doctor", "--json")
    facts = json.loads(found)
    assert facts["backend"].partition(" (")[0] == (NATIVE if native_loads(tmp_path) else PLAIN)
    assert facts["mlxr"] == mlxr.__version__
    assert facts["home"].startswith(str(tmp_path))


def test_doctor_says_why_the_native_kernels_are_not_used(tmp_path: Path) -> None:
    facts = json.loads(run(tmp_path, "-c", WITHOUT_NATIVE, "doctor", "--json"))
    assert facts["backend"].startswith(PLAIN)
    assert facts["backend"] != PLAIN


def test_doctor_shows_where_servers_listen(tmp_path: Path) -> None:
    with RunDirectory(Home(tmp_path).run) as directory:
        assert json.loads(run(tmp_path, "-m", "mlxr", "doctor", "--json"))["servers"].startswith("not listening yet")
        write_addresses(directory.path, ["http://127.0.0.1:7"])
        facts = json.loads(run(tmp_path, "-m", "mlxr", "doctor", "--json"))
    assert facts["servers"] == f"http://127.0.0.1:7 (pid {os.getpid()})"


def native_loads(home: Path) -> bool:
    """Whether the module is here and loads, asked of Python itself."""
    code = "import mlx.core\ntry: import mlxr.metal.cpu._native\nexcept ImportError: print('no')"
    return run(home, "-c", code) == ""


def run(home: Path, *arguments: str) -> str:
    environment = {**os.environ, "MLXR_HOME": str(home)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

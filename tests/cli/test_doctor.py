"""What ``mlxr doctor`` says, in a process that has loaded nothing else."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import mlxr
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import RunDirectory, write_addresses
from tests.cli.commands import mlxr as mlxr_command

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


def test_doctor_says_that_mlx_does_not_load_and_what_helps(tmp_path: Path) -> None:
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "core.py").write_text("raise ImportError('libcuda.so.1: no such file')")
    done = mlxr_command(tmp_path / "home", "doctor", "--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    (wrong,) = [finding for finding in json.loads(done.stdout)["findings"] if finding["level"] == "error"]
    assert (wrong["check"], wrong["text"]) == ("mlx", "MLX does not load: libcuda.so.1: no such file")
    assert f"mlx[cpu]=={metadata.version('mlx')}" in wrong["mend"]


def test_doctor_shows_where_servers_listen(tmp_path: Path) -> None:
    with RunDirectory(Home(tmp_path).run) as directory:
        assert json.loads(run(tmp_path, "-m", "mlxr", "doctor", "--json"))["servers"].startswith("not listening yet")
        write_addresses(directory.path, ["http://127.0.0.1:7"])
        facts = json.loads(run(tmp_path, "-m", "mlxr", "doctor", "--json"))
    assert facts["servers"] == f"http://127.0.0.1:7 (pid {os.getpid()})"


def test_what_is_wrong_is_said_with_what_mends_it_and_the_status_is_1(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 'x'\n")
    done = mlxr_command(tmp_path, "doctor")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert re.match(r"error  configuration +.*config\.toml:2: \[server\] port", lines[-2])
    assert lines[-1].strip() == "mend it: mlxr config edit"
    found = json.loads(mlxr_command(tmp_path, "doctor", "--json").stdout)["findings"]
    (wrong,) = [finding for finding in found if finding["check"] == "configuration"]
    assert (wrong["level"], wrong["mend"]) == ("error", "mlxr config edit")


def test_a_taken_port_is_an_error_of_the_whole(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        done = mlxr_command(tmp_path, "doctor", "--json", MLXR_SERVER_PORT=str(number))
    assert done.returncode == 1
    (port,) = [finding for finding in json.loads(done.stdout)["findings"] if finding["check"] == "port"]
    assert f"pid {os.getpid()}" in port["text"]


def native_loads(home: Path) -> bool:
    """Whether the module is here and loads, asked of Python itself."""
    code = "import mlx.core\ntry: import mlxr.metal.cpu._native\nexcept ImportError: print('no')"
    return run(home, "-c", code) == ""


def run(home: Path, *arguments: str) -> str:
    environment = {**os.environ, "MLXR_HOME": str(home)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60).stdout

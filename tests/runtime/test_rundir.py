"""Run directories are there while their server is, and not after."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from mlxr.runtime.rundir import RunDirectory, live

HOLD = """
import sys, time
from pathlib import Path
from mlxr.runtime.rundir import RunDirectory
with RunDirectory(Path(sys.argv[1])) as run:
    (run.path / "some.sock").touch()
    print(run.path, flush=True)
    time.sleep(60)
"""


def hold(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_directory_goes_with_its_server(tmp_path: Path) -> None:
    with RunDirectory(tmp_path) as run:
        assert live(tmp_path) == [run.path]
    assert not list(tmp_path.iterdir())


def test_the_next_server_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    process, left = hold(tmp_path)
    with process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert left.exists()
    with RunDirectory(tmp_path) as run:
        assert not left.exists()
        assert live(tmp_path) == [run.path]


def test_a_running_server_keeps_its_directory_when_another_starts(tmp_path: Path) -> None:
    process, held = hold(tmp_path)
    with process:
        try:
            with RunDirectory(tmp_path) as run:
                assert held.exists()
                assert set(live(tmp_path)) == {held, run.path}
        finally:
            process.kill()

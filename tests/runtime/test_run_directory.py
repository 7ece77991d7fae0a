"""Run directories are there while their server is, and not after."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mlxr.runtime.errors import StartError
from mlxr.runtime.run_directory import RunDirectory, live

HOLD = """
import sys, time
from pathlib import Path
from mlxr.runtime.run_directory import RunDirectory
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
    (tmp_path / "other").touch()
    with RunDirectory(tmp_path) as run:
        assert live(tmp_path) == [run.path]
    assert os.listdir(tmp_path) == ["other"]


def test_the_last_server_to_end_takes_the_place_of_sockets_along(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run"):
        process, held = hold(tmp_path / "run")
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        (tmp_path / "run" / "kept").touch()
    assert held.exists()
    (tmp_path / "run" / "kept").unlink()
    with RunDirectory(tmp_path / "run"):
        assert not held.exists()
    assert not (tmp_path / "run").exists()


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


def test_the_place_of_sockets_is_this_users_alone(tmp_path: Path) -> None:
    new, loose = tmp_path / "a" / "new", tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    for parent in (new, loose):
        with RunDirectory(parent) as run:
            modes = {stat.S_IMODE(path.stat().st_mode) for path in (parent, run.path)}
            assert modes == {0o700}


def test_what_another_user_made_in_a_shared_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "planted"
    (planted / "1").mkdir(parents=True)
    (planted / "1" / "telemetry").write_text("ipc:///elsewhere")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with (
        pytest.raises(StartError, match=r"planted for sockets: it belongs to another user .*MLXR_HOME"),
        RunDirectory(planted),
    ):
        pass
    assert live(planted) == []
    assert (planted / "1" / "telemetry").exists()


def test_a_link_in_the_place_of_sockets_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(StartError, match="link for sockets"), RunDirectory(tmp_path / "link"):
        pass
    assert live(tmp_path / "link") == []
    assert os.listdir(tmp_path / "elsewhere") == ["kept"]


def test_a_place_that_anybody_could_replace_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(StartError, match="others could replace it"), RunDirectory(shared / "run"):
        pass
    shared.chmod(0o1777)
    with RunDirectory(shared / "run"):
        pass

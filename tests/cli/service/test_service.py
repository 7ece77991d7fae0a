"""``mlxr service`` against a systemctl that notes what it is told, and where there is none."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from mlxr.runtime.readiness import READY, STOPPING, tell_manager
from tests.cli.commands import mlxr
from tests.server import serving

SYSTEMCTL = """#!/bin/sh
shift 2 2>/dev/null || true  # --user --no-pager
echo "$@" >> "$NOTES"
case "$1" in
  show) printf 'ActiveState=%s\\nSubState=x\\nMainPID=7\\nNRestarts=2\\nUnitFileState=enabled\\n' "$STATE" ;;
esac
"""


@pytest.fixture
def system(tmp_path: Path) -> dict[str, str]:
    """A user's variables on a system whose systemctl writes down what it is asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path / "user"),
        "XDG_CONFIG_HOME": str(tmp_path / "user" / "config"),
        "NOTES": str(tmp_path / "notes"),
        "STATE": "active",
    }


def unit_of(system: dict[str, str]) -> Path:
    return Path(system["XDG_CONFIG_HOME"]) / "systemd" / "user" / "mlxr.service"


def notes(system: dict[str, str]) -> list[str]:
    told = Path(system["NOTES"]).read_text().splitlines()
    Path(system["NOTES"]).unlink()
    return [line for line in told if not line.startswith("show") and line]


def test_it_is_installed_once_however_often_and_removed(tmp_path: Path, system: dict[str, str]) -> None:
    home = tmp_path / "home"
    keys = tmp_path / "keys"
    keys.write_text("a-secret-key")
    arguments = ("service", "install", "smollm2", "--api-key-file", str(keys))
    done = mlxr(home, *arguments, MLXR_SERVER_PORT="1", **system)
    assert done.returncode == 0, done.stderr
    unit = unit_of(system).read_text()
    assert f"MLXR_HOME={home}" in unit
    assert f"up smollm2 --api-key-file {keys}" in unit
    assert "a-secret-key" not in unit
    assert "MLXR_SERVER_PORT" in done.stderr  # is not seen by the service
    assert "enable-linger" in done.stderr
    assert notes(system) == ["daemon-reload", "enable mlxr.service", "restart mlxr.service"]
    again = mlxr(home, *arguments, **system)
    assert "unchanged" in again.stderr
    assert notes(system) == ["daemon-reload", "enable mlxr.service", "start mlxr.service"]
    shown = json.loads(mlxr(home, "service", "status", "--json", **system).stdout)
    assert (shown["state"], shown["pid"], shown["restarts"]) == ("active (x)", "7", "2")
    assert mlxr(home, "service", "status", **{**system, "STATE": "failed"}).returncode == 1
    assert mlxr(home, "service", "stop", **system).returncode == 0
    started = mlxr(home, "service", "start", "--json", **system)
    assert json.loads(started.stdout) == {"service": "systemd", "file": str(unit_of(system))}
    assert mlxr(home, "service", "uninstall", **system).returncode == 0
    assert notes(system) == ["stop mlxr.service", "start mlxr.service", "disable --now mlxr.service"]
    assert not unit_of(system).exists()
    gone = mlxr(home, "service", "status", **system)
    assert gone.returncode == 1
    assert "mlxr service install" in gone.stderr


def test_where_no_manager_runs_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = mlxr(tmp_path, "service", "install", PATH="/nowhere", HOME=str(tmp_path), MLXR_KV_SHARED_MEMORY=None)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "neither systemd nor launchd" in done.stderr


@pytest.mark.parametrize(("manager", "begins"), [("systemd", "# Written by"), ("launchd", "<?xml")])
def test_print_shows_the_file_and_does_nothing(tmp_path: Path, manager: str, begins: str) -> None:
    done = mlxr(tmp_path, "service", "install", "--print", "--manager", manager, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(begins)
    assert str(tmp_path) in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_manager_is_told_when_the_server_listens_and_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with serving(tmp_path / "home", "smollm2", "--threads", "1") as server:
            assert manager.recv(100).decode() == READY
            server.terminate()
            assert manager.recv(100).decode() == STOPPING


def test_without_a_manager_nothing_is_told(tmp_path: Path) -> None:
    for address in ("", "no address", str(tmp_path / "absent")):
        tell_manager(READY, environment={"NOTIFY_SOCKET": address})

"""What service managers are told, read as they read it."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from mlxr.cli.service.definition import Service, launchd_agent, systemd_unit

PLAIN = Service("/usr/bin/env", ("up",), Path("/home/me/.mlxr"))
ODD = Service(
    "/usr/bin/env",
    ("up", 'a "model" of 50% $HOME\\', "--api-key-file", "/a b/keys"),
    Path("/home/m e/100%"),
    "/c d.toml",
)


def settings(unit: str) -> dict[str, list[str]]:
    lines = [line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#")]
    found: dict[str, list[str]] = {}
    for name, value in lines:
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("service", [PLAIN, ODD], ids=["plain", "odd"])
def test_systemd_takes_the_unit(service: Service, tmp_path: Path) -> None:
    unit = systemd_unit(service)
    found = settings(unit)
    assert found["Restart"] == ["always"]
    assert found["Type"] == ["notify"]
    assert int(found["TimeoutStopSec"][0]) > service.drain_seconds
    assert found["WantedBy"] == ["default.target"]
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return  # Not this system's; what the unit has to have is looked at above.
    (tmp_path / "mlxr.service").write_text(unit)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [analyze, "verify", "--user", str(tmp_path / "mlxr.service")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_systemd_would_read_otherwise_is_quoted() -> None:
    found = settings(systemd_unit(ODD))
    assert found["ExecStart"] == [
        r'/usr/bin/env up "a \"model\" of 50%% $$HOME\\" --api-key-file "/a b/keys"',
    ]
    assert found["Environment"] == ['"MLXR_HOME=/home/m e/100%%"', '"MLXR_CONFIG=/c d.toml"']


@pytest.mark.parametrize("service", [PLAIN, ODD], ids=["plain", "odd"])
def test_launchd_takes_the_agent(service: Service) -> None:
    found = plistlib.loads(launchd_agent(service))
    assert found["ProgramArguments"] == [service.program, *service.arguments]
    assert found["EnvironmentVariables"]["MLXR_HOME"] == str(service.home)
    assert found["RunAtLoad"] is True
    assert found["KeepAlive"] is True
    assert found["ExitTimeOut"] > service.drain_seconds

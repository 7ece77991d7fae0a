"""The service managers there are, each with where its file lies and how it is told to start and stop."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mlxr.cli.service.definition import LABEL, UNIT, Service, launchd_agent, systemd_unit
from mlxr.runtime.errors import StartError

COMMAND_SECONDS = 150.0
NEITHER = (
    "neither systemd nor launchd runs for this user here, so nothing can be installed; have whatever starts programs "
    "here run `mlxr up`, or see `mlxr service install --print`"
)


class Manager(Protocol):
    """A service manager, of this user alone.

    name: systemd or launchd.
    file: where it looks for the service.
    """

    name: str
    file: Path

    def text(self, service: Service) -> str: ...

    def begin(self, changed: bool) -> None:
        """Have it read the file, start the service, and start it again with the next session. A service that runs is
        started anew only where its file has ``changed``."""
        ...

    def end(self) -> None:
        """Stop the service, and forget it."""
        ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def facts(self) -> dict[str, str]:
        """What it knows of the service."""
        ...

    def running(self) -> bool: ...

    def hints(self) -> list[str]:
        """What the user should know of when it starts."""
        ...


class Systemd:
    name = "systemd"

    def __init__(self) -> None:
        configuration = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        self.file = Path(configuration) / "systemd" / "user" / UNIT

    def text(self, service: Service) -> str:
        return systemd_unit(service)

    def begin(self, changed: bool) -> None:
        self._systemctl("daemon-reload")
        self._systemctl("enable", UNIT)
        self._systemctl("restart" if changed else "start", UNIT)

    def end(self) -> None:
        self._systemctl("disable", "--now", UNIT)

    def start(self) -> None:
        self._systemctl("start", UNIT)

    def stop(self) -> None:
        self._systemctl("stop", UNIT)

    def facts(self) -> dict[str, str]:
        names = "ActiveState,SubState,MainPID,NRestarts,UnitFileState,ActiveEnterTimestamp,Result"
        told = self._systemctl("show", UNIT, "--property", names)
        found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        return {
            "state": f"{found.get('ActiveState', 'unknown')} ({found.get('SubState', '')})",
            "pid": found.get("MainPID", "0"),
            "restarts": found.get("NRestarts", "0"),
            "at start": found.get("UnitFileState", ""),
            "since": found.get("ActiveEnterTimestamp", ""),
            "result": found.get("Result", ""),
        }

    def running(self) -> bool:
        return self.facts()["state"].startswith(("active", "activating", "reloading"))

    def hints(self) -> list[str]:
        if self._lingers():
            return []
        return [
            "it starts when you log in and ends when you log out; `loginctl enable-linger` has it start with the "
            "machine, and go on"
        ]

    def _lingers(self) -> bool:
        try:
            return (Path("/var/lib/systemd/linger") / getpass.getuser()).exists()
        except (OSError, KeyError):
            return True

    def _systemctl(self, *arguments: str) -> str:
        return _told(["systemctl", "--user", "--no-pager", *arguments], "journalctl --user -u mlxr -n 20 says more")


class Launchd:
    name = "launchd"

    def __init__(self) -> None:
        self.file = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._domain = f"gui/{os.getuid()}"

    def text(self, service: Service) -> str:
        return launchd_agent(service).decode()

    def begin(self, changed: bool) -> None:
        if self._loaded() and changed:
            self._launchctl("bootout", f"{self._domain}/{LABEL}")
        if not self._loaded():
            self._launchctl("bootstrap", self._domain, str(self.file))

    def end(self) -> None:
        if self._loaded():
            self._launchctl("bootout", f"{self._domain}/{LABEL}")

    def start(self) -> None:
        if not self._loaded():
            self._launchctl("bootstrap", self._domain, str(self.file))
        self._launchctl("kickstart", f"{self._domain}/{LABEL}")

    def stop(self) -> None:
        # Since it is kept alive, an agent that is to stay down is unloaded.
        self.end()

    def facts(self) -> dict[str, str]:
        if not self._loaded():
            return {"state": "not loaded", "pid": "0"}
        told = self._launchctl("print", f"{self._domain}/{LABEL}")
        lines = [line.strip().split(" = ", 1) for line in told.splitlines() if " = " in line]
        found = {parts[0]: parts[1] for parts in reversed(lines)}
        return {
            "state": found.get("state", "unknown"),
            "pid": found.get("pid", "0"),
            "restarts": str(max(int(found.get("runs", "1")) - 1, 0)),
            "result": found.get("last exit code", ""),
        }

    def running(self) -> bool:
        return self.facts()["state"] == "running"

    def hints(self) -> list[str]:
        return ["it starts when you log in; a Mac that is to serve before that needs automatic log-in"]

    def _loaded(self) -> bool:
        command = ["launchctl", "print", f"{self._domain}/{LABEL}"]
        return subprocess.run(command, capture_output=True, check=False, timeout=COMMAND_SECONDS).returncode == 0

    def _launchctl(self, *arguments: str) -> str:
        return _told(["launchctl", *arguments], "`mlxr logs` may say more")


def manager() -> Manager:
    """Returns the manager that runs for this user. Raises ``StartError`` where there is none."""
    if sys.platform == "darwin" and shutil.which("launchctl"):
        return Launchd()
    if shutil.which("systemctl"):
        asked = ["systemctl", "--user", "show-environment"]
        try:
            if subprocess.run(asked, capture_output=True, check=False, timeout=COMMAND_SECONDS).returncode == 0:
                return Systemd()
        except (OSError, subprocess.TimeoutExpired):
            pass
    raise StartError(NEITHER)


def named(name: str | None) -> Manager:
    """Returns the manager of that name, for its file alone; None: that of this system."""
    return Launchd() if name == "launchd" or (name is None and sys.platform == "darwin") else Systemd()


def _told(command: Sequence[str], more: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"`{' '.join(command)}` failed: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise StartError(f"`{' '.join(command)}` failed: {said}; {more}")
    return done.stdout

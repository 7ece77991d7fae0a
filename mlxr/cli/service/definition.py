"""What a service manager is told of the server: a systemd user unit, a launchd agent. Pure."""

from __future__ import annotations

import plistlib
import re
from dataclasses import dataclass
from pathlib import Path

UNIT = "mlxr.service"
LABEL = "org.mlxr.server"

RESTART_SECONDS = 2
STARTS, STARTS_SECONDS = 10, 300
"""So many starts within that time, and systemd gives it up."""

STOP_SECONDS = 10
"""What a stop takes beyond the time that requests get, before the manager kills."""

DESCRIPTORS = 65536


@dataclass(frozen=True, slots=True)
class Service:
    """What is to run.

    program: the command, by its whole path; ``arguments`` behind it, which hold no key.
    home: MLXR_HOME; ``config``: the configuration file where MLXR_CONFIG names one.
    drain_seconds: what requests in flight get when it is stopped.
    """

    program: str
    arguments: tuple[str, ...]
    home: Path
    config: str = ""
    drain_seconds: float = 3.0

    @property
    def environment(self) -> dict[str, str]:
        return {"MLXR_HOME": str(self.home), **({"MLXR_CONFIG": self.config} if self.config else {})}

    @property
    def stop_seconds(self) -> int:
        return int(self.drain_seconds) + STOP_SECONDS


def systemd_unit(service: Service) -> str:
    """Returns the unit's text."""
    variables = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in service.environment.items())
    command = " ".join(_quoted(part, command=True) for part in (service.program, *service.arguments))
    return f"""\
# Written by `mlxr service install`, which writes it anew; `systemctl --user edit mlxr` keeps changes of yours.
[Unit]
Description=mlxr, a local LLM server
StartLimitIntervalSec={STARTS_SECONDS}
StartLimitBurst={STARTS}

[Service]
Type=notify
ExecStart={command}
{variables}
Restart=always
RestartSec={RESTART_SECONDS}
# A wrong configuration does not mend itself.
RestartPreventExitStatus=2
TimeoutStartSec=120
TimeoutStopSec={service.stop_seconds}
KillMode=mixed
# An executor that takes too much memory is restarted by the server; streams go on.
OOMPolicy=continue
LimitNOFILE={DESCRIPTORS}
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def launchd_agent(service: Service) -> bytes:
    """Returns the agent's property list."""
    log = str(service.home / "logs" / "service.log")
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [service.program, *service.arguments],
            "EnvironmentVariables": service.environment,
            "RunAtLoad": True,
            "KeepAlive": True,
            "ThrottleInterval": 10,
            "ExitTimeOut": service.stop_seconds,
            "ProcessType": "Interactive",
            "StandardOutPath": log,
            "StandardErrorPath": log,
            "SoftResourceLimits": {"NumberOfFiles": DESCRIPTORS},
            "Umask": 0o077,
        },
        sort_keys=False,
    )


def _quoted(text: str, command: bool = False) -> str:
    """Returns a word as systemd reads it (systemd.syntax(7)): % is doubled, and $ in commands."""
    text = text.replace("%", "%%")
    text = text.replace("$", "$$") if command else text
    if re.fullmatch(r"[\w@%+=:,./$-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

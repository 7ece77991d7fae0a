"""The installed command, as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("mlxr")
"""What installing the package made."""


def environment(home: Path, **variables: str | None) -> dict[str, str]:
    """The tests' own environment with another home, and no setting of mlxr or of terminals but that servers keep no
    pages in shared memory. ``variables`` come on top; None takes one away."""
    dropped = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLXR_") and key not in dropped}
    # A server that is killed would leave its pages in memory where every test leaves them.
    made = {**inherited, "MLXR_HOME": str(home), "MLXR_KV_SHARED_MEMORY": "false", **variables}
    return {key: value for key, value in made.items() if value is not None}


def mlxr(home: Path, *arguments: str, stdin: str = "", **variables: str | None) -> subprocess.CompletedProcess[str]:
    """``mlxr ARGUMENTS`` with its streams in pipes."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        env=environment(home, **variables),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def lines_of(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """``mlxr ARGUMENTS``, whose output is read as it comes."""
    pipe = subprocess.PIPE
    return subprocess.Popen([str(COMMAND), *arguments], env=environment(home), stdout=pipe, stderr=pipe, text=True)

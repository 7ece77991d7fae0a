"""The installed command as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MLXR = str(Path(sys.executable).with_name("mlxr"))


def environment(home: Path, **more: str) -> dict[str, str]:
    """That of a user whose MLXR_HOME is ``home``, on a terminal of 100 columns."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLXR_")}
    return {**inherited, "MLXR_HOME": str(home), "COLUMNS": "100", "NO_COLOR": "1", **more}


def mlxr(home: Path, *arguments: str, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
    """``mlxr ARGUMENTS`` to its end; ``more``: variables of its environment."""
    variables = environment(home, **more)
    return subprocess.run([MLXR, *arguments], env=variables, capture_output=True, text=True, timeout=timeout)


def lines_of(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """``mlxr ARGUMENTS``, whose output is read as it comes."""
    pipe = subprocess.PIPE
    return subprocess.Popen([MLXR, *arguments], env=environment(home), stdout=pipe, stderr=pipe, text=True)

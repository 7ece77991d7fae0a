"""How commands end, as processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = "from mlxr.runtime.exit_status import exit_on_error\nimport os, subprocess, sys\nwith exit_on_error():\n    "


def ended(code: str, redirected: str = "") -> subprocess.CompletedProcess[str]:
    """How a process ends that runs ``code`` within ``exit_on_error``."""
    command = ["bash", "-c", f'exec "$0" -c "$1" {redirected}', sys.executable, RUN + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_harms_nothing_and_no_file_takes_its_number(closed: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    code = (
        f"file = open({str(file)!r}, 'w'); print('x', sys.stdin.read(0), flush=True); print('y', file=sys.stderr); "
        "subprocess.run(['echo', 'z'], check=True); sys.exit(file.fileno() < 3)"
    )
    assert ended(code, closed).returncode == 0
    assert file.read_text() == ""


@pytest.mark.parametrize(
    ("code", "redirected", "line"),
    [
        (
            "print('x' * 100_000)",
            ">/dev/full",
            "mlxr: what this prints: No space left on device; make room",
        ),
        (
            "raise PermissionError(13, 'Permission denied', '/x\\x1b')",
            "",
            "mlxr: /x\\x1b: Permission denied; see",
        ),
        (
            "from mlxr.runtime.errors import ModelNotFound; raise ModelNotFound(f\"{'a' * 5000} is not here\")",
            "",
            f"mlxr: {'a' * 300} ... {'a' * 100} is not here\n",
        ),
    ],
)
def test_what_can_be_mended_is_one_line_that_can_be_read(code: str, redirected: str, line: str) -> None:
    done = ended(code, redirected)
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_what_is_our_mistake_has_its_traceback() -> None:
    assert "Traceback" in ended("open('/none/such')").stderr

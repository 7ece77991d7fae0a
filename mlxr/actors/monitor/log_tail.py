"""The lines of the log from before the monitor started, from the home's log file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from mlxr.runtime.log_file import entries
from mlxr.runtime.logs import REQUESTS

MOST_BYTES: Final = 256 << 10


def latest_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the latest lines, as telemetry tells lines; none where there is no file that can be read. Lines of
    requests, which have a place of their own, are left out."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - MOST_BYTES))
            lines = file.read(MOST_BYTES).split(b"\n")
    except OSError:
        return []
    # The first may have lost its beginning, and the last has an end when it is whole.
    whole = lines[1 if size > MOST_BYTES else 0 : -1]
    return [msgspec.to_builtins(entry) for entry in entries(whole) if entry.logger != REQUESTS and entry.t]

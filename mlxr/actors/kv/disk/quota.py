"""How much of a disk pages may take."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from mlxr.actors.kv.disk.shared_folder import all_files

MOST_BYTES = 8 << 30
SHARE = 10
"""One part in so many of what is free, of a quota that nobody has set."""


def quota_of(root: Path, wished: int) -> int:
    """Returns the bytes that all segments in ``root`` may take: those ``wished``, or what suits the disk where that is
    0."""
    if wished:
        return wished
    used = 0
    with suppress(OSError):
        used = sum(file.bytes for file in all_files(root))
    nearest = next(path for path in (root, *root.parents) if path.exists())
    return min(MOST_BYTES, (shutil.disk_usage(nearest).free + used) // SHARE)


def folder_of(home_kv: Path, configured: str) -> Path:
    """Returns where segments lie: where the configuration says, or in the home."""
    return Path(configured).expanduser() if configured else home_kv

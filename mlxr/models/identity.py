"""Whether a model's files are still those that were looked at."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.split import part_files


def stamp(status: os.stat_result) -> str:
    """Returns a text that changes when a file does: of its size, the time of its last change and its inode."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def identity(path: Path) -> str:
    """Returns a text that changes when the file at ``path`` does, one of its siblings if it is a part of a model, or
    one of those in the folder there; empty for what can't be read."""
    try:
        if not path.is_dir():
            return " ".join(stamp(file.stat()) for file in part_files(path))
        with os.scandir(path) as entries:
            listing = sorted(f"{entry.name} {stamp(entry.stat())}" for entry in entries if entry.is_file())
    except OSError:
        return ""
    return hashlib.sha256("\n".join(listing).encode(errors="surrogateescape")).hexdigest()


def require_same(path: Path, before: str) -> None:
    """Raises ``ModelFileError`` if ``path`` had the identity ``before`` and has another now. Nothing is known of a
    model whose ``before`` is empty."""
    if before and identity(path) != before:
        raise ModelFileError(path, "was changed while its model was in use; unload the model, and load it again")

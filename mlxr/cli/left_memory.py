"""Memory that servers of this home have left for their next start, as they were killed (``kv.shared_memory``)."""

from __future__ import annotations

import os
from pathlib import Path

from mlxr.actors.executor.pool_files.left import delete_left, left_files
from mlxr.actors.kv.disk.quota import folder_of
from mlxr.cli.configuration import configuration_file
from mlxr.models.sizes import readable
from mlxr.runtime.config import load
from mlxr.runtime.paths import Home
from mlxr.server.config import Config


def told() -> str:
    """Returns how much it is; '' for none."""
    left = sum(file.bytes for file in left_files(_store()))
    return readable(left) if left else ""


def freed() -> str:
    """Frees it; returns how much it was, '' for none."""
    nbytes = delete_left(_store())
    return readable(nbytes) if nbytes else ""


def _store() -> Path:
    home = Home.find()
    return folder_of(home.kv, load(Config, configuration_file(None, home), os.environ).kv.disk_path)

"""Where mlxr keeps things: ``MLXR_HOME``, or the platform's own data directory.

HOME/models/          model files, by content
HOME/registry.sqlite  the catalogue
HOME/run/PID/         sockets of one running server, gone when it is
HOME/config.toml      the user's configuration, if any
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

SOCKET_PATH_LIMIT = 100
"""Bytes a Unix socket's path may have (104 on macOS, 108 on Linux), with room for the terminator."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directories under one ``MLXR_HOME``."""

    root: Path

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Home:
        """``MLXR_HOME`` if set, else the user's data directory (platformdirs)."""
        chosen = environment.get("MLXR_HOME")
        return cls(Path(chosen).expanduser().resolve() if chosen else platformdirs.user_data_path("mlxr"))

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def database(self) -> Path:
        return self.root / "registry.sqlite"

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def run(self) -> Path:
        """Parent of run directories. A home too deep for Unix sockets gets one in the system's temporary directory."""
        preferred = self.root / "run"
        if fits_socket_path(preferred / "4194304"):
            return preferred
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"mlxr-{os.getuid()}-{digest}"


def fits_socket_path(directory: Path) -> bool:
    """Whether sockets in ``directory`` keep below the system's limit on their paths."""
    return len(os.fsencode(directory)) + 40 <= SOCKET_PATH_LIMIT

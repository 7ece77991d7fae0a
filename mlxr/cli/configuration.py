"""Which configuration file counts."""

from __future__ import annotations

import os
from pathlib import Path

from mlxr.runtime.paths import Home


def configuration_file(given: Path | None, home: Home) -> Path | None:
    """The configuration file: the one named, else ``MLXR_CONFIG``, else the home's if it is there."""
    if given is not None:
        return given
    if named := os.environ.get("MLXR_CONFIG"):
        return Path(named)
    return home.config if home.config.exists() else None

"""Which configuration files count, and settings given beside them."""

from __future__ import annotations

import os
from pathlib import Path

from mlxr.runtime import config
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.paths import Home


def configuration_file(given: Path | None, home: Home) -> Path | None:
    """The configuration file: the one named, else ``MLXR_CONFIG``, else the home's if it is there."""
    if given is not None:
        return given
    if named := os.environ.get("MLXR_CONFIG"):
        return Path(named)
    return home.config if home.config.exists() else None


def default_file() -> Path:
    """``configs/default.toml``, where an installed package or a checkout has it."""
    import mlxr

    package = Path(mlxr.__file__).parent
    installed, checkout = (folder / "configs" / "default.toml" for folder in (package, package.parent))
    return installed if installed.exists() else checkout


def setting(text: str) -> config.Flag:
    """``section.key=value`` of a ``--set``."""
    name, equals, value = text.partition("=")
    section, _, key = name.partition(".")
    if not (equals and section and key):
        raise ConfigError(f"--set {text}: write it as SECTION.KEY=VALUE, such as kv.page_size=16")
    return config.Flag(f"--set {name}", name, value)

"""Every check, on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import mlxr
from mlxr.cli.checks import draft_models, installation, machine, pages
from mlxr.cli.checks import home as of_home
from mlxr.cli.checks.finding import Finding
from mlxr.cli.configuration import configuration_file
from mlxr.http.ui.bundle.files import BUILT
from mlxr.metal.select import BackendChoice, Installation
from mlxr.runtime.config import load
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import live, read_addresses
from mlxr.server.config import Config

NEEDS_MORE = 1.15
"""What a model takes beside its weights, at the least, as a share of them."""


def findings(home: Home, choice: BackendChoice, available: int) -> list[Finding]:
    """Returns what every check finds, installation first. ``available``: bytes of memory that are free."""
    checkout = Path(mlxr.__file__).parents[1]
    sources = (checkout / "pyproject.toml").exists()
    native = installation.native(choice, Installation.here().folders, sources)
    models = of_home.known_models(home)
    file = configuration_file(None, home)
    config = _config(file)
    ours = [address for directory in live(home.run) for address in read_addresses(directory)]
    found = [
        installation.packages(),
        installation.tested_versions(checkout / "constraints.txt"),
        installation.mlx(choice),
        native,
        installation.web_application(BUILT),
        installation.compiler(needed=native.level != "ok"),
        installation.gpu(choice),
        installation.parity(home.checks),
        machine.memory(available),
        machine.control_group([(model.name, int(model.size * NEEDS_MORE)) for model in models or []]),
        machine.disk(home.root),
        pages.on_disk(home, config.kv),
        machine.descriptors(),
        machine.huge_pages(),
        machine.clock(time.time(), Path(mlxr.__file__)),
        machine.port(config.server.host, config.server.port, ours),
        of_home.folder(home, machine.effective_user()),
        of_home.configuration(file, os.environ),
        of_home.run_directories(home),
        of_home.database(home),
        *draft_models.undrafted(live(home.run)),
        *of_home.model_files(models),
    ]
    return [finding for finding in found if finding is not None]


def _config(file: Path | None) -> Config:
    try:
        return load(Config, file, os.environ)
    except ConfigError:
        return Config()

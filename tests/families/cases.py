"""The configurations that are compared: those of the everyday tests, ``tests/models/architectures/checkpoints*.py``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import tests.models.architectures as architectures


def cases() -> dict[str, dict[str, Any]]:
    """Returns each decoder's ``config.json`` by its case's name."""
    found: dict[str, dict[str, Any]] = {}
    for module in pkgutil.iter_modules(architectures.__path__, f"{architectures.__name__}."):
        if not module.name.rpartition(".")[2].startswith("checkpoints"):
            continue
        checkpoints = importlib.import_module(module.name)
        if hasattr(checkpoints, "config_of"):  # encoders have outputs of other kinds
            found |= {name: checkpoints.config_of(name) for name in checkpoints.CASES}
    return found

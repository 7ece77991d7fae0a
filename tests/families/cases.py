"""The configurations that are compared: those of the everyday tests, ``tests/models/architectures/checkpoints*.py``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import transformers

import tests.models.architectures as architectures
from tests.models.architectures import checkpoints_encoders


def decoders() -> dict[str, dict[str, Any]]:
    """Returns each decoder's ``config.json`` by its case's name."""
    found: dict[str, dict[str, Any]] = {}
    for module in pkgutil.iter_modules(architectures.__path__, f"{architectures.__name__}."):
        if not module.name.rpartition(".")[2].startswith("checkpoints"):
            continue
        checkpoints = importlib.import_module(module.name)
        if checkpoints is not checkpoints_encoders and hasattr(checkpoints, "config_of"):
            found |= {name: checkpoints.config_of(name) for name in checkpoints.CASES}
    return found


def encoders() -> dict[str, dict[str, Any]]:
    """Returns the ``config.json`` of each encoder that transformers has, without a head for a task."""
    return {
        name: config
        for name, config in checkpoints_encoders.CASES.items()
        if config["architectures"][0].endswith("Model") and hasattr(transformers, config["architectures"][0])
    }

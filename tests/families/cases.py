"""The configurations that are compared: those of the everyday tests."""

from __future__ import annotations

from typing import Any

from tests.models.architectures import checkpoints, checkpoints_decoders


def cases() -> dict[str, dict[str, Any]]:
    """Returns each case's ``config.json`` by the case's name."""
    modules = (checkpoints, checkpoints_decoders)
    return {name: module.config_of(name) for module in modules for name in module.CASES}

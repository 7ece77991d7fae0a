"""The configurations that are compared: those of the everyday tests."""

from __future__ import annotations

from typing import Any

from tests.models.architectures.checkpoints import CASES, config_of


def cases() -> dict[str, dict[str, Any]]:
    """Returns each case's ``config.json`` by the case's name."""
    return {name: config_of(name) for name in CASES}

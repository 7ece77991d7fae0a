"""What models take, for a worker of the sandbox: each load asks for it, so it imports no more than that needs."""

from __future__ import annotations

from pathlib import Path

from mlxr.metal.machine import Machine
from mlxr.models.footprint import Footprint
from mlxr.models.loading import read_footprint


def prepare() -> None:
    """Nothing is left to do in the zygote once this is imported."""


def footprint_on(path: Path, machine: Machine) -> Footprint:
    """Raises ``UnusableModelError``."""
    return read_footprint(path, machine.sizes)

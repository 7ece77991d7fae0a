"""Checks of running engines: whether what was to draft for them does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlxr.cli.checks.finding import Finding, warn

CHECK = "draft models"


def undrafted(directories: Iterable[Path]) -> list[Finding]:
    """Returns a finding for each model that goes without. ``directories``: of servers that run."""
    # Of the registry's kind, which other commands do without.
    from mlxr.actors.registry.lifecycle.state_file import EngineStateFile

    found: list[Finding] = []
    for directory in directories:
        for engine in EngineStateFile(directory).read(0.0):
            if engine.up is not None and engine.up.undrafted:
                name = engine.spec.model
                text = f"{name} goes without: {engine.up.undrafted}"
                mend = f"mlxr stop {name}  (the next request loads it anew), or name another in speculation.draft_model"
                found.append(warn(CHECK, text, mend))
    return found

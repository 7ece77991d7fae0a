"""Pulling models: ``fetch`` takes a name to a catalogued, checked file."""

from mlxr.actors.registry.pull.fetch import fetch
from mlxr.actors.registry.pull.progress import Progress, Report

__all__ = ["Progress", "Report", "fetch"]

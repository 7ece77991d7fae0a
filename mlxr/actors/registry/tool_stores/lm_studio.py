"""LM Studio's models folder: ``PUBLISHER/REPOSITORY/`` with GGUF files, or with an MLX model."""

from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.catalogue.files import digest_of
from mlxr.actors.registry.tool_stores.model_folders import models_in
from mlxr.actors.registry.tool_stores.naming import repository_models
from mlxr.actors.registry.tool_stores.tool_model import Scan
from mlxr.actors.registry.tool_stores.walk import Walk

TOOL = "lmstudio"


def scan(folder: Path) -> Scan:
    """Returns the models of one folder."""
    walk = Walk("LM Studio")
    found = Scan(problems=walk.problems)
    for publisher in walk.folders(folder):
        for repository in walk.folders(publisher):
            if not repository.name.startswith("."):
                name = f"{publisher.name}/{repository.name}"
                found.models += repository_models(TOOL, name, list(models_in(walk, repository, 2)), digest_of)
    return found

"""llama.cpp's cache: GGUF files beside each other, ``ORG_REPOSITORY_FILE.gguf``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlxr.actors.registry.catalogue.files import digest_of
from mlxr.actors.registry.tool_stores.model_folders import models_in
from mlxr.actors.registry.tool_stores.naming import catalogue_name
from mlxr.actors.registry.tool_stores.tool_model import Scan, ToolModel
from mlxr.actors.registry.tool_stores.walk import Walk
from mlxr.models.formats.gguf.split import model_name

TOOL = "llama.cpp"


def scan(folder: Path) -> Scan:
    """Returns the models of one folder."""
    walk = Walk("llama.cpp")
    paths = [each.path for each in models_in(walk, folder)]
    return Scan([_model(path) for path in paths], walk.problems)


def _model(path: Path) -> ToolModel:
    name = model_name(path)
    return ToolModel(TOOL, name, path, partial(digest_of, path), catalogue_name(name))

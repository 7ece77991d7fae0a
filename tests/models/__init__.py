"""The real models that tests run on. ``python -m tests.models`` fetches those that are missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import anyio

from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home

CACHE = Path(__file__).parents[2] / ".cache"
ALIASES = ("smollm2", "gemma3", "minilm")
FOLDERS = frozenset({"minilm"})


def model_path(alias: str) -> Path:
    """The file (a folder for ``minilm``) of a built-in model in the checkout's cache, pulled if it is not there yet."""
    path = CACHE / "models" / (alias if alias in FOLDERS else f"{alias}.gguf")
    if not path.exists():
        pull(alias, path)
    return path


def pull(alias: str, path: Path) -> None:
    """Fetch as ``mlxr pull`` does, into a home of its own, and put the model at ``path`` in one move."""
    entry = anyio.run(pull_model, Home(CACHE / "home"), alias, ignore)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    if entry.blob.path.is_dir():
        shutil.copytree(entry.blob.path, partial)
    else:
        os.link(entry.blob.path, partial)
    partial.replace(path)


def ignore(progress: Progress) -> None:
    """Nobody watches."""

"""What a server's nursery imports: what the zygotes of its actors have in common."""

from __future__ import annotations

import importlib

PREPARE = f"{__name__}:prepare"

MODULES = ("mlxr.actors.tokenizer.sandbox_tasks", "mlxr.actors.registry.metadata.footprints", "jinja2", "tokenizers")
"""The tasks of an engine's tokenizer and of its load, and the packages that most models' text side takes."""


def prepare() -> None:
    for module in MODULES:
        importlib.import_module(module)

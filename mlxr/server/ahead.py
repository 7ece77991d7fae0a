"""What a server's first processes import: the executor's its actor, the nursery what the zygotes of actors have in
common. Imports nothing itself, for those who start them."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Mapping
from pathlib import Path

from mlxr.runtime import descriptors, first_processes
from mlxr.runtime.first_processes import FirstProcesses

EXECUTOR = "mlxr.actors.executor.actor:ExecutorActor"

MODULES = ("mlxr.actors.tokenizer.sandbox_tasks", "jinja2", "tokenizers")
"""The tasks of an engine's tokenizer, and the packages that most models' text side takes."""

KEYS = "MLXR_SERVER_API_KEYS"
"""The variable that may hold keys, which no process of a server finds in its environment."""


def start(run_directory: Path, *, executor: bool, environment: Mapping[str, str] = os.environ) -> FirstProcesses | None:
    """Starts them, with an ``executor``'s process or without; None where the system can't start so many now: then
    those of actors and sandboxes are started in their time."""
    descriptors.raise_limit()  # of processes that it starts, too
    known = {name: value for name, value in environment.items() if name != KEYS}
    try:
        return first_processes.start(
            str(run_directory), executor=EXECUTOR if executor else "", prepare=f"{__name__}:prepare", environment=known
        )
    except OSError:
        return None


def prepare() -> None:
    """Imports what zygotes have in common, once, in the nursery."""
    for module in MODULES:
        importlib.import_module(module)
    # Modules stay: nobody need look through them for what may go.
    gc.freeze()

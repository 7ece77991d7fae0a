"""How commands that work on the catalogue itself tell errors that are the user's to mend: one line on stderr."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

from mlxr.cli import interruptible
from mlxr.cli.printing import remark
from mlxr.models.errors import UnusableModelError
from mlxr.runtime.errors import MlxrError

T = TypeVar("T")


def carried_out(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``work``; an error that is the user's to mend becomes one line on stderr and exit status 1."""
    return reported(lambda: interruptible.run(work))


def reported(work: Callable[[], T]) -> T:
    """Do ``work``, whose errors are told as ``carried_out`` tells them."""
    try:
        return work()
    except BrokenPipeError:
        raise
    except (MlxrError, UnusableModelError, ValueError, OSError) as error:
        from mlxr.actors.registry.catalogue.local_files import NoModelAtPath  # who knows it knows all formats

        # Clients of a server are not told what lies at a path; this is the user.
        said = error.why if isinstance(error, NoModelAtPath) else str(error)
        remark(said)
        raise typer.Exit(1) from None

"""The command line: ``mlxr``."""

from __future__ import annotations

import os
import sys

import typer

from mlxr.cli import doctor, models, telemetry, up
from mlxr.runtime.errors import ConfigError, MlxrError

INTERRUPTED = 130

UsageError: type[typer.BadParameter] = typer.BadParameter.__base__  # type: ignore[assignment]
"""Wrong usage of any kind: Typer's own name for it is not public, but that of one of its subclasses is."""


def make_app() -> typer.Typer:
    """Every command, one module each."""
    app = typer.Typer(name="mlxr", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    up.register(app)
    models.register(app)
    telemetry.register(app)
    doctor.register(app)
    return app


def main() -> None:
    """Exit status: 0, 1 (failed, with one line that says why), 2 (wrong usage), 130 (interrupted)."""
    try:
        status = make_app()(standalone_mode=False)
    except UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseExceptionGroup as group:
        _exit_with(_only(group))
    except MlxrError as error:
        _exit_with(error)
    sys.exit(status if isinstance(status, int) else 0)


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _exit_with(error: BaseException) -> None:
    """One line on stderr and the exit status; an error that is none of ours goes on."""
    if not isinstance(error, MlxrError):
        raise error
    sys.stderr.write(f"mlxr: {error}\n")
    sys.exit(2 if isinstance(error, ConfigError) else 1)

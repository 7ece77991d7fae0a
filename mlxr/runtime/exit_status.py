"""Turns errors into exit statuses: one line on stderr for what the user can mend, a traceback for our mistakes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.printable import printable

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Exits with the status of an error that mlxr raised on purpose; others pass, with their traceback. Files made
    within are their owner's alone."""
    os.umask(0o077)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except BaseExceptionGroup as group:
        _exit_with(sole_error(group))
    except MlxrError as error:
        _exit_with(error)


def sole_error(error: BaseException) -> BaseException:
    """Returns ``error``, or the first of the errors in it where it is a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _exit_with(error: BaseException) -> NoReturn:
    if not isinstance(error, MlxrError):
        raise error
    sys.stderr.write(f"mlxr: {printable(str(error))}\n")
    sys.exit(WRONG_USAGE if isinstance(error, ConfigError) else FAILED)

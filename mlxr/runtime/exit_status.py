"""Turns errors into exit statuses: one line on stderr for what the user can mend, a traceback for our mistakes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.printable import printable_message

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

_NO_ROOM = "make room on that disk"
_NOT_YOURS = "see whose it is (ls -l), or set MLXR_HOME to a folder of yours"
_KEPT = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.EROFS: _NOT_YOURS,
}
"""What the system says where nothing of ours is wrong, with the way out."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Exits with the status of an error that mlxr raised on purpose, or that the system keeps something from us for;
    others pass, with their traceback. Files made within are their owner's alone."""
    private_files()
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
    except (MlxrError, OSError) as error:
        _exit_with(error)


def say(text: str, width: int | None = None) -> None:
    """Says something on stderr as one line of ours, such as why this process ends; a terminal gets it broken between
    words. ``width``: of its lines, 0 for what is none; None: what the terminal says."""
    line = f"mlxr: {text}"
    if width is None:
        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns
        except (OSError, ValueError):  # no terminal
            width = 0
    if 0 < width < len(line):
        from textwrap import fill  # one more module, which the start of a server does without

        line = fill(line, width, break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr, flush=True)


def private_files() -> None:
    """Sees to it that files which this process and its children make are their owner's alone, whatever streams it was
    started with."""
    os.umask(0o077)
    _open_streams()


def _open_streams() -> None:
    """Puts /dev/null where we were started with a closed stream: the next file that is opened would take its number,
    and what children print would go there."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def sole_error(error: BaseException) -> BaseException:
    """Returns ``error``, or the first of the errors in it where it is a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _exit_with(error: BaseException) -> NoReturn:
    if isinstance(error, OSError) and error.errno in _KEPT and error.strerror:
        # What is still unwritten fails again, and Python says so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        what, way_out = error.filename or "what this prints", _KEPT[error.errno]
        say(f"{printable_message(str(what))}: {error.strerror}; {way_out}")
        sys.exit(FAILED)
    if not isinstance(error, MlxrError):
        raise error
    say(printable_message(str(error)))
    sys.exit(WRONG_USAGE if isinstance(error, ConfigError) else FAILED)

"""Opens files that strangers may name: a FIFO, a device or a socket can't hold up whoever opens it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, *, links: bool = True) -> BinaryIO:
    """Opens a regular file for reading; raises ``OSError``, for anything else with ``EINVAL``.

    ``links``: whether ``path`` itself may be a symbolic link. Never waits: what is no regular file is not opened, and
    where a FIFO takes the file's place in between, opening that does not wait for a writer.
    """
    _check(os.stat(path, follow_symlinks=links), path)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _check(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most: int, *, links: bool = True) -> bytes:
    """Returns all of a regular file of at most ``most`` bytes; raises ``OSError``, for a larger one with ``EFBIG``."""
    with open_regular(path, links=links) as file:
        # A read takes as much memory as it asks for.
        data = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"has more than {most} bytes", str(path))
    return data


def _check(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))

"""The process that converts one model: ``python -m mlxr.actors.registry.conversion.child JOB``.

It writes what it says to standard output, a line of JSON each, and ends when its parent does, however that happens.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.conversion.job import Advanced, Done, Failed, Job, Kind, Outlook, Said
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime import pacing
from mlxr.runtime.errors import MlxrError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlxr.runtime.pacing import Pacer

SAY_SECONDS = 0.1
"""How often progress is told."""


def _end_with_parent() -> None:
    """The parent holds the other end of standard input and writes nothing: the end of file is the end of it."""
    while os.read(0, 1024):
        pass
    os._exit(1)


class _Teller:
    """Says how far the work is, not too often."""

    def __init__(self, say: Callable[[Said], None], status: str, pacer: Pacer) -> None:
        self._say, self._status, self._pacer, self._next = say, status, pacer, 0.0

    def __call__(self, completed: int, total: int) -> None:
        self._pacer.pause()
        now = time.monotonic()
        if now >= self._next or completed == total:
            self._next = now + SAY_SECONDS
            self._say(Advanced(self._status, total, completed))


def convert(job: Job, say: Callable[[Said], None]) -> None:
    """Does the job, saying how it goes; the last is ``Done``, ``Outlook`` or ``Failed``."""
    target = Path(job.target)
    try:
        with _space(target):
            say(_outlook(job) if job.dry_run else _converted(job, target, say))
    except files.OutOfSpace as error:
        say(Failed("space", str(error), needed=error.needed))
    except UnusableModelError as error:
        kind: Kind = "unsupported" if isinstance(error, UnsupportedModelError) else "malformed"
        say(Failed(kind, error.reason, str(error.path)))
    except (MlxrError, OSError, ValueError) as error:
        say(Failed("other", str(error)))


def _converted(job: Job, target: Path, say: Callable[[Said], None]) -> Done:
    # Only what the job needs: MLX is for MLX's folders.
    from mlxr.actors.registry.conversion import to_gguf, to_mlx

    make = to_mlx.convert if job.wanted.format == "mlx" else to_gguf.convert
    with pacing.background() as pacer:
        return make(job, target, lambda status: _Teller(say, status, pacer))


def _outlook(job: Job) -> Outlook:
    from mlxr.actors.registry.conversion.outlook import outlook
    from mlxr.actors.registry.conversion.to_gguf import choices

    return outlook(job, lambda: choices(job.wanted))


@contextmanager
def _space(target: Path) -> Iterator[None]:
    """A disk that fills up is told as such."""
    with files.space_for(target.parent, 0):
        yield


def main() -> None:
    job = msgspec.json.decode(sys.argv[1], type=Job)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if job.nice:
        os.nice(job.nice)
    lock = threading.Lock()

    def say(said: Said) -> None:
        with lock:
            sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
            sys.stdout.buffer.flush()

    convert(job, say)


if __name__ == "__main__":
    main()

"""Runs a conversion in a process of its own: what crashes it, or makes it wait, does no harm to a server."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream
from msgspec.structs import replace

from mlxr.actors.registry.catalogue.files import OutOfSpace
from mlxr.actors.registry.conversion.job import Advanced, Done, Failed, Job, Outlook, Said
from mlxr.actors.registry.progress import Progress, Report, ignore
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.runtime.errors import ModelError

CHILD = "mlxr.actors.registry.conversion.child"
MOST_LINE = 1 << 20
_TAIL = 2000
"""Characters of what a process that crashed wrote last."""


async def run(job: Job, report: Report) -> Done:
    """Converts; a cancelled conversion leaves no process behind. What it wrote is the caller's to remove.

    Raises ``UnusableModelError``, ``OutOfSpace`` and ``ModelError``.
    """
    done = await _last_word(job, report)
    assert isinstance(done, Done)
    return done


async def look_ahead(job: Job) -> Outlook:
    """Returns what a conversion would come to. Raises as ``run``."""
    said = await _last_word(replace(job, dry_run=True), ignore)
    assert isinstance(said, Outlook)
    return said


async def _last_word(job: Job, report: Report) -> Done | Outlook:
    said: list[Said] = []
    errors: list[str] = []
    # -P: the directory of a caller must not hide modules.
    command = [sys.executable, "-P", "-m", CHILD, msgspec.json.encode(job).decode()]
    async with await anyio.open_process(command) as process:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_keep, process.stderr, errors)
                await _listen(process.stdout, report, said)
                status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    match said[-1:]:
        case [(Done() | Outlook()) as done] if status == 0:
            return done
        case [Failed() as failed]:
            raise _error(failed, Path(job.target).parent)
    raise ModelError(f"converting {job.source} failed: {_why(status, ''.join(errors))}")


async def _listen(stream: anyio.abc.ByteReceiveStream | None, report: Report, said: list[Said]) -> None:
    assert stream is not None
    lines = BufferedByteReceiveStream(stream)
    while True:
        try:
            line = await lines.receive_until(b"\n", MOST_LINE)
        except (anyio.IncompleteRead, anyio.EndOfStream):
            return
        heard = msgspec.json.decode(line, type=Said)
        if isinstance(heard, Advanced):
            report(Progress(heard.status, "", heard.total, heard.completed))
        else:
            said.append(heard)


async def _keep(stream: anyio.abc.ByteReceiveStream | None, errors: list[str]) -> None:
    assert stream is not None
    async for text in TextReceiveStream(stream, errors="replace"):
        errors[:] = ["".join([*errors, text])[-_TAIL:]]


def _error(failed: Failed, directory: Path) -> ModelError:
    match failed.kind:
        case "malformed":
            return ModelFileError(Path(failed.path), failed.reason)
        case "unsupported":
            return UnsupportedModelError(Path(failed.path), failed.reason)
        case "space":
            return OutOfSpace(directory, failed.needed)
        case "other":
            return ModelError(failed.reason)


def _why(status: int, errors: str) -> str:
    if status < 0:
        reason = f"its process was ended by {signal.Signals(-status).name}"
        return f"{reason}; there may be too little memory" if -status == signal.SIGKILL else reason
    last = errors.strip().splitlines()[-1:] or [f"its process ended with status {status}"]
    return last[0]

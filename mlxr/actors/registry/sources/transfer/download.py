"""Fetch files so that each byte comes once, however often a pull is interrupted.

Several connections fill one file, segment after segment. What is there is noted on the disk every few megabytes, and a
hash follows the bytes from the first one on, so that a file is known to be right soon after its last byte.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.progress import Progress, Report, pulling
from mlxr.actors.registry.sources.source import RESUMABLE, Fetched
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.partial_file import FollowingHash, PartialFile
from mlxr.actors.registry.sources.transfer.remote_file import Body, Changed, RemoteFile, RemoteModel
from mlxr.actors.registry.sources.transfer.retries import Interrupted, Retries
from mlxr.actors.registry.sources.transfer.segments import Missing
from mlxr.actors.registry.sources.transfer.speed import Speeds
from mlxr.runtime.errors import PullError

_REPORT_SECONDS = 0.1
_REPLACED = 3
"""Times that a segment's connection is replaced for being slow."""


async def fetch_remote(remote: RemoteModel, staging: Path, report: Report) -> Fetched:
    """``Source.fetch`` of a source that lists its files; raises as ``download_model``."""
    path, digests = await download_model(remote, staging, report)
    digest = listing_digest(digests) if remote.folder else next(iter(digests.values()))
    return Fetched(path, digest, remote.pinned, remote.license, remote.name, remote.aliases)


async def download_model(model: RemoteModel, staging: Path, report: Report) -> tuple[Path, dict[str, str]]:
    """Fetches all files of ``model``; where it lies in ``staging``, and the SHA-256 of each file by its name.

    What an earlier call left in ``staging / RESUMABLE`` is not fetched again. Raises ``OutOfSpace`` before anything is
    fetched where there is no room for the rest, ``DigestMismatch`` for other bytes than were announced, ``PullError``
    and ``OSError``.
    """
    folder = staging / RESUMABLE
    folder.mkdir(exist_ok=True, mode=0o700)
    _tidy(folder, model)
    parts = [PartialFile(folder / _stored_as(file), file.identity, file.size) for file in model.files]
    try:
        with files.space_for(staging, sum(file.size - part.segments.completed for file, part in _both(model, parts))):
            for file, part in _both(model, parts):
                await _fetch(file, part, report, model.limits)
    finally:
        for part in parts:
            part.close()
    out = staging / ("folder" if model.folder else "model")
    files.remove(out)
    for file, part in _both(model, parts):
        part.move(out / file.name if model.folder else out)
    return out, {file.name: part.sha256 for file, part in _both(model, parts)}


def listing_digest(digests: dict[str, str]) -> str:
    """Returns what ``files.hash_folder`` would make of files with these SHA-256, by their names in the folder."""
    listing = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests, key=lambda name: Path(name).parts))
    return hashlib.sha256(listing.encode()).hexdigest()


def _both(model: RemoteModel, parts: list[PartialFile]) -> list[tuple[RemoteFile, PartialFile]]:
    return list(zip(model.files, parts, strict=True))


def _stored_as(file: RemoteFile) -> str:
    return hashlib.sha256(f"{file.name}\0{file.identity}".encode()).hexdigest()[:32]


def _tidy(folder: Path, model: RemoteModel) -> None:
    """Removes what an earlier pull fetched of files that the model no longer has."""
    kept = {_stored_as(file) for file in model.files}
    for path in folder.iterdir():
        if path.name.partition(".")[0] not in kept:
            files.remove(path)


async def _fetch(file: RemoteFile, part: PartialFile, report: Report, limits: TransferLimits) -> None:
    """Fetches what is missing of ``file`` and checks all of it; one that an earlier pull has checked is done."""
    if part.sha256:
        return
    try:
        await _Download(file, part, report, limits).run()
    except (Changed, files.DigestMismatch):
        part.discard()
        raise


class _NotRanged(Exception):  # noqa: N818  (reads as what happened)
    """The server gives whole files only."""


class _Download:
    """One file on its way into ``part``."""

    def __init__(self, file: RemoteFile, part: PartialFile, report: Report, limits: TransferLimits) -> None:
        self._file = file
        self._part = part
        self._segments = part.segments
        self._report = report
        self._limits = limits
        self._hash = FollowingHash(part, file.digest)
        self._filled = anyio.Event()
        self._unsaved = 0
        self._saving = anyio.Lock()
        self._speeds = Speeds(time.monotonic)
        self._told = 0.0
        kind, _, hexadecimal = file.digest.partition(":")
        self._label = Path(file.name).name
        self._sha256 = hexadecimal if kind == "sha256" else ""

    async def run(self) -> None:
        """Fills the file, checks it, notes that it is whole."""
        self._tell()
        try:
            await self._together(self._fill_all)
        except _NotRanged:
            await self._together(self._fill_in_one)
        self._tell(now=True)
        self._report(Progress("verifying sha256 digest"))
        while await self._hash.advance():
            pass
        found = self._hash.digests()
        self._check(found)
        await self._part.checkpoint(found["sha256"])

    async def _together(self, fill: Callable[[], Awaitable[None]]) -> None:
        """Runs ``fill`` with the hash behind it. However it ends, what is there is noted."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow)
                await fill()
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            if self._unsaved:
                with anyio.CancelScope(shield=True), suppress(OSError):
                    await self._save()

    async def _fill_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(self._limits.connections):
                tasks.start_soon(self._fill_segments)

    async def _fill_segments(self) -> None:
        """One connection's work: segment after segment, until there is none left."""
        retries = Retries(self._limits, self._file.name, waits=self._wait)
        while (missing := self._segments.take()) is not None:
            replaced = 0
            try:
                while missing.start < missing.end:
                    try:
                        await self._fill_segment(missing, retries, replace=replaced < _REPLACED)
                    except _Slow:
                        replaced += 1
                    except Interrupted as failure:
                        await retries.again(failure)
                    missing = self._segments.rest(missing.index)
            finally:
                self._segments.give_back(missing.index)

    async def _fill_segment(self, missing: Missing, retries: Retries, *, replace: bool) -> None:
        connection = self._speeds.begin()
        limits = self._limits

        def came(count: int) -> None:
            connection.came += count
            retries.progressed(count)
            if replace and self._speeds.lags(connection, limits.slow_seconds, limits.slow_share):
                raise _Slow

        try:
            async with self._file.stream(missing.start, missing.end) as body:
                if body.whole and (missing.start, missing.end) != (0, self._file.size):
                    raise _NotRanged
                await self._store(body, missing.start, came)
        finally:
            self._speeds.end(connection)

    async def _fill_in_one(self) -> None:
        """From the first byte to the last in one answer: nothing of what is there is gone on with."""
        retries = Retries(self._limits, self._file.name, waits=self._wait)
        while not self._segments.whole:
            self._segments.clear()
            self._hash = FollowingHash(self._part, self._file.digest)
            try:
                async with self._file.stream(0, self._file.size) as body:
                    await self._store(body, 0, lambda count: None)
            except Interrupted as failure:
                await retries.again(failure)

    async def _store(self, body: Body, at: int, came: Callable[[int], None]) -> None:
        """Writes what comes to the file from ``at`` on, also what came before an interruption. ``came`` hears of every
        byte, and may raise ``_Slow``."""
        buffer = bytearray()
        try:
            async for piece in body.pieces:
                buffer += piece
                came(len(piece))
                if len(buffer) >= self._limits.piece:
                    data = bytes(buffer)
                    buffer.clear()
                    await self._write(at, data)
                    at += len(data)
        except (Interrupted, _Slow):
            await self._write(at, bytes(buffer))
            raise
        await self._write(at, bytes(buffer))

    async def _write(self, at: int, data: bytes) -> None:
        await self._part.write(at, data)
        for index, count in self._segments.spread(at, len(data)):
            self._segments.add(index, count)
        self._unsaved += len(data)
        self._filled.set()
        self._tell()
        if self._unsaved >= self._limits.unsaved or (
            self._unsaved >= self._limits.checkpoint and not self._saving.statistics().locked
        ):
            await self._save()

    async def _save(self) -> None:
        async with self._saving:
            unsaved = self._unsaved
            await self._part.checkpoint()
            self._unsaved -= unsaved

    async def _follow(self) -> None:
        """Hashes what is there from the file's beginning on, as it comes."""
        while True:
            while await self._hash.advance():
                pass
            self._filled = anyio.Event()
            await self._filled.wait()

    def _wait(self, why: str) -> None:
        self._report(Progress(why))

    def _tell(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._told >= _REPORT_SECONDS:
            self._told = time.monotonic()
            self._report(pulling(self._label, self._sha256, self._file.size, self._segments.completed))

    def _check(self, found: dict[str, str]) -> None:
        kind, _, wanted = self._file.digest.partition(":")
        if wanted and found[kind] != wanted:
            names = {"sha256": "SHA-256", "git": "git's SHA-1"}
            raise files.DigestMismatch(
                f"{self._file.name} came with {names[kind]} {found[kind]}, but should have {wanted}; nothing of it was "
                "kept: pull again"
            )


class _Slow(Exception):  # noqa: N818  (reads as what happened)
    """A connection is to be replaced."""


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that ended all tasks; of several, the one that says most."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            found.append(error)
    return max(found, key=lambda error: (isinstance(error, OSError), isinstance(error, PullError)))

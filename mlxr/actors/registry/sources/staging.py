"""A directory of its own for each pull, held by one process at a time, tidied up after the others."""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
from anyio import to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.store import Store, UnusedFile
from mlxr.actors.registry.sources.source import RESUMABLE
from mlxr.actors.registry.sources.transfer.partial_file import noted
from mlxr.runtime.paths import Home

_LOCK = "lock"
_RETRY_SECONDS = 0.2
_ABANDONED_SECONDS = 7 * 86400
"""How long what an interrupted pull fetched is kept."""
_UPLOAD_SECONDS = 86400
"""Older files outside of pulls are uploads that ended without a word."""


def _nobody(completed: int, total: int) -> None:
    """Nobody hears how far another process is."""


@asynccontextmanager
async def staging_directory(
    home: Home, spelled: str, waits: Callable[[], None], advances: Callable[[int, int], None] = _nobody
) -> AsyncIterator[Path]:
    """The directory for pulling ``spelled``; calls ``waits`` once if another process is at it, and waits for that.
    ``advances`` hears meanwhile how many bytes that one has of how many, as often as it notes them."""
    path = files.partial(home) / _slug(spelled)
    told: tuple[int, int] | None = None
    while True:
        with _held(path) as ours:
            if ours:
                yield path
                return
        if told is None:
            waits()
        how_far = await to_thread.run_sync(noted, path / RESUMABLE)
        if how_far != told and how_far[1]:
            advances(*how_far)
        told = how_far
        await anyio.sleep(_RETRY_SECONDS)


def clear(staging: Path, *, resumable: bool) -> None:
    """Removes a pull's files; ``resumable`` leaves those that the next pull can go on with."""
    if resumable and _resumable_age(staging) is not None:
        for path in staging.iterdir():
            if path.name not in (_LOCK, RESUMABLE):
                files.remove(path)
    else:
        files.remove(staging)


def sweep(home: Home, parts: float = _ABANDONED_SECONDS, uploads: float = _UPLOAD_SECONDS) -> None:
    """Removes what killed processes left in ``models/partial``, but what a pull can go on with for ``parts`` seconds
    and uploads for ``uploads`` seconds after they were last written to."""
    for path in files.partial(home).iterdir():
        if path.is_dir() and not files.is_set_aside(path):
            with _held(path) as ours:
                if ours:
                    age = _resumable_age(path)
                    clear(path, resumable=age is not None and age < parts)
        elif path.is_file() and _age(path) > uploads and not files.is_set_aside(path):
            files.remove(path)


async def collect(home: Home, store: Store, uploads: float, dry_run: bool) -> list[UnusedFile]:
    """Removes whatever no model needs: files that no name stands for, ``uploads`` of which none was made for so many
    seconds, and what pulls that do not run left. Returns it, and leaves it where this is a ``dry_run``."""
    store.require_writable()
    await store.restore()
    parts = await to_thread.run_sync(leftovers, home)
    if dry_run:
        return [*await store.unused(uploads), *parts]
    unused = await store.collect(uploads)
    await to_thread.run_sync(sweep, home, 0.0, uploads)
    return [*unused, *parts]


def remove_leftovers(home: Home) -> list[UnusedFile]:
    """Removes what pulls left that do not run, for which the catalogue need not be open; returns it. Blocking."""
    found = leftovers(home)
    sweep(home, 0.0, math.inf)
    return found


def leftovers(home: Home) -> list[UnusedFile]:
    """Returns what pulls left behind that run no more. Blocking."""
    found: list[UnusedFile] = []
    for path in sorted(files.partial(home).iterdir()):
        if path.is_dir() and not files.is_set_aside(path):
            with _held(path) as ours:
                if ours:
                    found.append(UnusedFile(path, files.size_of(path)))
    return found


def _resumable_age(staging: Path) -> float | None:
    """Seconds since a pull last wrote what the next one can go on with; None where there is nothing."""
    written = [path for path in (staging / RESUMABLE).rglob("*") if path.is_file() and path.stat().st_size]
    return min(map(_age, written), default=None)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


@contextmanager
def _held(work: Path) -> Iterator[bool]:
    """Tries to hold ``work``; whether that worked. The system drops the lock with the process."""
    work.mkdir(parents=True, exist_ok=True)
    lock = work / _LOCK
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:  # the holder before us has just removed the directory
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # The holder before us may have removed the directory: then this lock guards nothing.
        yield lock.exists() and os.path.samestat(lock.stat(), os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _slug(spelled: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", spelled)[-60:].strip("-.")
    return f"pull-{readable}-{hashlib.sha256(spelled.encode()).hexdigest()[:8]}"

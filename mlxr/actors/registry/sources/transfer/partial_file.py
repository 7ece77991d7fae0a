"""A file that comes in pieces, over several processes if need be: its bytes, and a note of how far they are good."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
from anyio import to_thread
from msgspec import Struct

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.transfer.segments import Segments

BLOCK = 4 << 20
"""Bytes that are hashed at once."""


class _Note(Struct):
    """What is on the disk for certain.

    of: the identity of the file that it is.
    have: as ``Segments`` counts it.
    sha256: of the whole file, once that is known to be right.
    """

    of: str
    size: int
    have: list[int]
    sha256: str = ""


class PartialFile:
    """``NAME`` in a folder that outlives the process, and ``NAME.json`` beside it.

    What ``checkpoint`` has returned from survives a kill and a power failure; nothing else is counted on.
    """

    def __init__(self, path: Path, identity: str, size: int) -> None:
        self.path = path
        self._note_path = path.with_name(path.name + ".json")
        self._identity = identity
        note = _read(self._note_path)
        good = note is not None and (note.of, note.size) == (identity, size)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.segments = Segments(size, note.have if note and good else None)
        if self.segments.extent > os.fstat(self._descriptor).st_size:
            self.segments.clear()
        self.sha256 = note.sha256 if note and self.segments.whole and good else ""
        # It is not made as long as it will be: not every file system leaves holes.
        if not self.segments.extent:
            os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        os.close(self._descriptor)

    async def write(self, offset: int, data: bytes) -> None:
        await to_thread.run_sync(self._write, offset, data)

    async def checkpoint(self, sha256: str = "") -> None:
        """Has the disk hold what was written, and says so. ``sha256``: of the whole file, where it is right."""
        # Before the bytes are forced out: what comes meanwhile is not among them.
        note = _Note(self._identity, self.segments.size, self.segments.snapshot(), sha256)
        await to_thread.run_sync(self._save, note)
        self.sha256 = sha256

    async def read(self, start: int, count: int) -> bytes:
        return await to_thread.run_sync(os.pread, self._descriptor, count, start)

    def discard(self) -> None:
        """Forgets it: its bytes are not what they should be."""
        for path in (self._note_path, self.path):
            path.unlink(missing_ok=True)

    def move(self, target: Path) -> None:
        """Gives the whole file its place in the model; it is no longer gone on with."""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._note_path.unlink(missing_ok=True)
        self.path.replace(target)

    def _write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    def _save(self, note: _Note) -> None:
        os.fsync(self._descriptor)
        new = self._note_path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(note))
        files.sync(new)
        new.replace(self._note_path)


class FollowingHash:
    """Hashes a file behind whoever fills it, so that its digest is there soon after its last byte.

    wanted: ``sha256:HEX``, ``git:HEX`` or ''.
    """

    def __init__(self, file: PartialFile, wanted: str) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._git = None
        if wanted.startswith("git:"):
            self._git = hashlib.sha1(b"blob %d\0" % file.segments.size, usedforsecurity=False)
        self._at = 0

    @property
    def at(self) -> int:
        """Bytes hashed so far."""
        return self._at

    async def advance(self) -> bool:
        """Hashes the next bytes that are there; whether there were any."""
        count = min(self._file.segments.contiguous - self._at, BLOCK)
        if count <= 0:
            return False
        piece = await self._file.read(self._at, count)
        await to_thread.run_sync(self._sha256.update, piece)
        if self._git is not None:
            self._git.update(piece)
        self._at += len(piece)
        return True

    def digests(self) -> dict[str, str]:
        """Returns what ``RemoteFile.digest`` may ask for, by kind; of a file that is hashed whole."""
        found = {"sha256": self._sha256.hexdigest()}
        return found if self._git is None else {**found, "git": self._git.hexdigest()}


def noted(folder: Path) -> tuple[int, int]:
    """Returns what is noted of the files that another process fetches into ``folder``: bytes that are there, bytes in
    all."""
    notes = [note for path in folder.glob("*.json") if (note := _read(path)) is not None]
    return sum(sum(note.have) for note in notes), sum(note.size for note in notes)


def _read(path: Path) -> _Note | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Note)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None

"""The folder with segments of all engines and servers that share it, and its quota.

    ROOT/lock                       bytes and files that there are, for who holds the lock
    ROOT/CONTENTS/NAME.pages        a segment
    ROOT/CONTENTS/NAME.new          one that is being written, already of its full size, locked by its writer
    ROOT/CONTENTS/about.json        what CONTENTS is a digest of

``CONTENTS`` is what pages depend on beside tokens, so an engine looks at segments of its own folder alone, while the
quota is for all. Room is made and taken under the lock: what is in flight has its size from the start, and so never
exceeds the quota. Files that were used longest ago go first; when that was stands in their time of change, which only
ever grows from one file to the next, whatever the clock says. What is not named like this is left alone, and not
counted; so is a folder that may not be looked into.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mlxr.actors.kv.disk.segment import BadSegmentError, Segment, read_segment
from mlxr.actors.kv.disk.shared_folder import (
    SUFFIX,
    UNFINISHED,
    NoRoomError,
    StoredFile,
    Usage,
    all_files,
    files_in,
    folders_in,
    is_abandoned,
    locked,
    read_usage,
    write_usage,
)
from mlxr.runtime.regular_files import open_regular, read_regular

ABOUT, MOST_ABOUT = "about.json", 1 << 16

MOST_FILES = 1 << 14
"""So many headers are read in about a second."""

SPARE = 10
"""One part in so many of the quota is freed with what is needed, since looking for files to evict takes a while."""


class SegmentFolder:
    """One engine's access to the folder. Methods may be called from any thread.

    ``quota``: most bytes of all files together. ``contents``: a digest of what its pages depend on beside tokens.
    ``about``: says so to others, in a small file beside them. ``kept``: bytes of all files, as far as this one knows.
    ``unsound``: what was wrong with own segments that ``segments`` has deleted.
    """

    def __init__(self, root: Path, contents: bytes, quota: int, about: bytes = b"") -> None:
        self.quota = quota
        self.root = root
        self._own = root / contents.hex()
        self._contents = contents
        self._about = about
        self.kept = 0
        self.unsound: list[str] = []
        self._latest: int | None = None
        """The latest time of use so far, in nanoseconds."""

    def path(self, name: str) -> Path:
        return self._own / f"{name}{SUFFIX}"

    def open(self, name: str) -> BinaryIO:
        """Opens a segment for reading. Raises ``OSError``."""
        return open_regular(self.path(name), links=False)

    @property
    def changed(self) -> int:
        """When a segment came or went last, in nanoseconds; 0 where none ever was."""
        try:
            return os.stat(self._own).st_mtime_ns
        except OSError:
            return 0

    def segments(self, known: Container[str] = ()) -> Iterator[tuple[str, Segment]]:
        """Yields names and heads of the own segments that are sound and not ``known``, those used last first; deletes
        those that are damaged. Raises ``OSError`` where the folder can't be read."""
        if not self._own.is_dir():
            return
        files = (file for file in files_in(self._own) if file.path.suffix == SUFFIX)
        own = [file for file in files if file.path.stem not in known]
        for file in sorted(own, key=lambda file: file.used, reverse=True):
            with suppress(OSError):
                try:
                    with self.open(file.path.stem) as opened:
                        segment = read_segment(opened.fileno())
                    if segment.contents != self._contents:
                        raise BadSegmentError("is another engine's")
                except BadSegmentError as error:
                    os.unlink(file.path)
                    self.unsound.append(str(error))
                else:
                    yield file.path.stem, segment

    def names(self) -> set[str]:
        """Returns the names of the own segments, sound or not. Raises ``OSError``."""
        return {file.path.stem for file in files_in(self._own) if file.path.suffix == SUFFIX}

    def own_bytes(self) -> int:
        """Returns bytes of the own segments. Raises ``OSError``."""
        return sum(file.bytes for file in files_in(self._own))

    def others(self, most: int) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yields what other folders are about, and the addresses of their pages, of all together at most about so many.
        Raises ``OSError``."""
        if not self.root.is_dir():
            return
        for folder in sorted(path for path in folders_in(self.root) if path != self._own):
            with suppress(OSError):
                about = read_regular(folder / ABOUT, MOST_ABOUT, links=False)
                addresses: list[bytes] = []
                for file in files_in(folder):
                    if file.path.suffix == SUFFIX and most > 0:
                        with suppress(OSError, BadSegmentError), open_regular(file.path, links=False) as opened:
                            pages = read_segment(opened.fileno()).pages
                            addresses += [page.address for page in pages]
                            most -= len(pages)
                if addresses:
                    yield about, addresses

    def enforce(self) -> None:
        """Deletes what is beyond the quota, what killed writers have left, and folders without a segment. Raises
        ``OSError``."""
        if not self.root.is_dir():
            return
        with locked(self.root) as lock:
            for file in all_files(self.root):
                if file.path.suffix == UNFINISHED and is_abandoned(file.path):
                    with suppress(OSError):  # it takes its room, as long as nobody may delete it
                        os.unlink(file.path)
            usage, _ = self._make_room(0)
            self._note(lock, usage)
            self._forget_empty()

    def create(self, name: str, size: int) -> tuple[int, list[str]]:
        """Makes room for a file and creates it with its full size. Returns its descriptor, for ``finish`` or
        ``discard``, and the names of own segments that had to go. Raises ``OSError``, ``NoRoomError`` among them."""
        if size > self.quota:
            raise NoRoomError(f"{size:,} bytes are more than kv.disk_bytes allows")
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.root) as lock:
            self._make_own()
            usage = read_usage(lock)
            evicted: list[StoredFile] = []
            if usage is None or usage.bytes + size > self.quota or usage.files >= MOST_FILES:
                usage, evicted = self._make_room(size)
            self._note(lock, Usage(usage.bytes + size, usage.files + 1))
            file = os.open(self._new(name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                os.ftruncate(file, size)
            except BaseException:
                self._drop(name, file)
                raise
        return file, [gone.path.stem for gone in evicted if gone.path.parent == self._own]

    def finish(self, name: str, file: int) -> None:
        """Gives a file that is written its name. Raises ``OSError``, and deletes it then."""
        try:
            now = self._now()
            os.utime(file, ns=(now, now))
            with locked(self.root):  # who counts files meanwhile might see it under neither name
                os.rename(self._new(name), self.path(name))
        except BaseException:
            self._drop(name, file)
            raise
        os.close(file)

    def discard(self, name: str, file: int, size: int) -> None:
        """Deletes a file that could not be written."""
        dropped = False
        with suppress(OSError), locked(self.root) as lock:
            # Whoever counts files sees it and what is noted of it, or neither.
            dropped = True
            self._drop(name, file)
            if (usage := read_usage(lock)) is not None:
                self._note(lock, Usage(max(0, usage.bytes - size), max(0, usage.files - 1)))
        if not dropped:
            self._drop(name, file)

    def touch(self, names: Sequence[str]) -> None:
        """Notes that segments were used, the last named the latest."""
        with suppress(OSError):
            for used, name in enumerate(names, start=self._now(len(names))):
                with suppress(FileNotFoundError):
                    os.utime(self.path(name), ns=(used, used))

    def forget(self, name: str) -> None:
        """Deletes a segment that turned out to be damaged."""
        with suppress(OSError):
            os.unlink(self.path(name))

    def _make_own(self) -> None:
        if not self._own.is_dir():
            self._own.mkdir(mode=0o700)
            if self._about:
                (self._own / ABOUT).write_bytes(self._about)

    def _forget_empty(self) -> None:
        """Deletes folders of others that hold nothing but what they are about."""
        for folder in folders_in(self.root):
            with suppress(OSError):
                if folder != self._own and os.listdir(folder) in ([], [ABOUT]):
                    (folder / ABOUT).unlink(missing_ok=True)
                    folder.rmdir()

    # Room.

    def _make_room(self, size: int) -> tuple[Usage, list[StoredFile]]:
        """Deletes what was used longest ago until a file of ``size`` fits, and some more."""
        files = sorted(all_files(self.root), key=lambda file: file.used)
        total, count = sum(file.bytes for file in files), len(files)
        evicted: list[StoredFile] = []
        least = max(0, self.quota - max(size, self.quota // SPARE)) if size else self.quota
        for file in files:
            if total <= least and count < MOST_FILES - MOST_FILES // SPARE:
                break
            if file.path.suffix == UNFINISHED and not is_abandoned(file.path):
                continue
            try:
                os.unlink(file.path)
            except FileNotFoundError:
                pass
            except OSError:
                continue  # It takes its room, as long as nobody may delete it.
            total, count = total - file.bytes, count - 1
            evicted.append(file)
        if total + size > self.quota:
            raise NoRoomError("other writers have what kv.disk_bytes allows")
        return Usage(total, count), evicted

    def _note(self, lock: int, usage: Usage) -> None:
        self.kept = usage.bytes
        write_usage(lock, usage)

    def _now(self, files: int = 1) -> int:
        """Returns a time of use behind all others, the first of so many."""
        if self._latest is None:
            self._latest = max((file.used for file in all_files(self.root)), default=0)
        first = max(time.time_ns(), self._latest + 1)
        self._latest = first + files - 1
        return first

    def _new(self, name: str) -> Path:
        return self._own / f"{name}{UNFINISHED}"

    def _drop(self, name: str, file: int) -> None:
        with suppress(OSError):
            os.unlink(self._new(name))
        os.close(file)

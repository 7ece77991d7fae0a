"""Pages between memory and disk: one thread writes segments, one reads them, and the device's thread waits for neither.

A disk that fails costs hits and nothing else: one line in the log says why, and what can't be written is tried again
from time to time.
"""

from __future__ import annotations

import errno
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.compiler import yield_to_others
from mlxr.actors.executor.page_listing import PageListing
from mlxr.actors.executor.pool_files.records import Record
from mlxr.actors.executor.pool_files.shared_pool import SharedPool
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.segment import BadSegmentError, read_content, read_segment, segment_bytes, write_segment
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import RestorePages, StorePages
from mlxr.runtime.messages.kv import DiskOpened, PagesStored, StoredPage

log = logging.getLogger("mlxr.executor")

RETRY_SECONDS = 60.0
"""After which a disk that could not be written is tried again."""

LOOK_SECONDS = 5.0
"""After which it is looked whether other engines have stored something."""

STOP_SECONDS = 0.05
"""How often what was read is freed while the threads end."""

BUFFER_BYTES = 8 << 20
BUFFERS = 3
"""To read into. Memory that was used before is written to several times as fast as what the system has yet to give."""


class _Signal(Enum):
    """What a thread is told beside its work. ``LOOK``: whether the disk can be written to has changed."""

    END = auto()
    DESCRIBE = auto()
    LOOK = auto()


@dataclass(slots=True)
class Read:
    """What was read for a command. ``content``: uint8 ``[pages, bytes]``. ``good``: as in ``PagesRestored``, empty
    where there is no such file. ``began``: in seconds, by ``time.monotonic``. ``records``: of all its pages, once they
    are in the pool; none where they are on their way to the disk still."""

    command: RestorePages
    content: NDArray[np.uint8]
    good: list[bool]
    began: float
    buffer: NDArray[np.uint8] | None = None
    records: list[Record] = field(default_factory=list)


class PageFiles:
    """Reads and writes segments of one engine. Methods belong to the device's thread.

    ``page_bytes``: of each cache group. ``answer``: tells the KV manager something, on any thread. ``wake``: called on
    a thread of its own whenever something was read. ``shared``: the pool's memory outlives the process, and what its
    pages hold is recorded.
    """

    def __init__(
        self,
        folder: SegmentFolder,
        contents: bytes,
        page_bytes: Sequence[int],
        epoch: int,
        answer: Callable[[Message], None],
        wake: Callable[[], None],
        retry_seconds: float = RETRY_SECONDS,
        look_seconds: float = LOOK_SECONDS,
        shared: SharedPool | None = None,
    ) -> None:
        self._folder = folder
        self._contents = contents
        self._page_bytes = list(page_bytes)
        self._epoch = epoch
        self._answer = answer
        self._wake = wake
        self._retry_seconds = retry_seconds
        smallest = min((segment_bytes(1, size) for size in page_bytes), default=0)
        self._smallest = smallest
        self._hopeless = smallest > folder.quota
        self._writable = not self._hopeless
        self._complained = False
        self._unread = False
        self._look_seconds = look_seconds
        self._shared = shared
        self._listing = PageListing(folder, self._page_bytes, epoch, answer, self._complain)
        self._writes: queue.SimpleQueue[tuple[StorePages, NDArray[np.uint8]] | _Signal] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[RestorePages | _Signal] = queue.SimpleQueue()
        self._writing: dict[str, tuple[StorePages, NDArray[np.uint8]]] = {}
        """By name: what was taken from the pool and may not be on disk yet."""
        self._done: deque[Read] = deque()
        self._buffers: queue.SimpleQueue[NDArray[np.uint8]] = queue.SimpleQueue()
        for _ in range(BUFFERS):
            self._buffers.put(np.empty(BUFFER_BYTES, np.uint8))
        self._threads = [
            threading.Thread(target=self._write_all, name="pages out", daemon=True),
            threading.Thread(target=self._read_all, name="pages in", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends once what is queued is written and read. Nobody takes what is read any more."""
        self._writes.put(_Signal.END)
        self._reads.put(_Signal.END)
        for thread in self._threads:
            while thread.is_alive():
                # Whoever reads may wait for a buffer.
                while (read := self.done()) is not None:
                    self.free(read)
                thread.join(STOP_SECONDS)

    def on_disk(self) -> int:
        """Returns bytes of the engine's own segments, on any thread. Raises ``OSError``."""
        return self._folder.own_bytes()

    def describe(self) -> None:
        """Has the KV manager told what lies on disk, behind what is read before."""
        self._reads.put(_Signal.DESCRIBE)

    def write(self, command: StorePages, content: NDArray[np.uint8]) -> None:
        """``content``: uint8 ``[pages, bytes]``."""
        self._writing[command.name] = command, content
        self._writes.put((command, content))

    def refuse(self, command: StorePages) -> None:
        """Its pages can't be taken from the pool now, and are not written."""
        self._answer(PagesStored(command.batch, writable=self._writable, kept=self._folder.kept))

    def read(self, command: RestorePages) -> None:
        self._reads.put(command)

    def done(self) -> Read | None:
        """Returns what was read, in the order of commands; None where nothing is there yet. It goes to ``free``."""
        return self._done.popleft() if self._done else None

    def free(self, read: Read) -> None:
        """What was read is copied."""
        if read.buffer is not None:
            self._buffers.put(read.buffer)

    def written(self, read: Read) -> None:
        """The good pages of what was read are in the pool."""
        if self._shared is not None and read.records:
            self._shared.note([record for record, good in zip(read.records, read.good, strict=True) if good])

    # On the thread that writes.

    def _write_all(self) -> None:
        yield_to_others()
        while True:
            try:
                job = self._writes.get(timeout=None if self._writable or self._hopeless else self._retry_seconds)
            except queue.Empty:
                self._writable = True
                self._answer(self._opened())
                continue
            if job is _Signal.END:
                return
            if isinstance(job, _Signal):
                continue
            self._answer(self._written(*job))
            self._writing.pop(job[0].name, None)
            del job  # with its content, which nobody else holds any more, perhaps for as long as this thread waits

    def _opened(self) -> DiskOpened:
        return DiskOpened(self._epoch, self._page_bytes, self._folder.quota, self._writable, self._folder.kept)

    def _written(self, command: StorePages, content: NDArray[np.uint8]) -> PagesStored:
        if not self._writable:
            return PagesStored(command.batch, writable=False, kept=self._folder.kept)
        size = segment_bytes(len(content), content.shape[1])
        evicted: list[str] = []
        try:
            file, evicted = self._folder.create(command.name, size)
            try:
                checksums = write_segment(file, self._contents, command.group, command.stored, content)
            except BaseException:
                self._folder.discard(command.name, file, size)
                raise
            self._folder.finish(command.name, file)
            self._folder.touch(command.used)
        except Exception as error:  # whatever it is, who stored the pages is to hear of it
            self._failed(error)
            return PagesStored(command.batch, 0, evicted, self._writable, self._folder.kept)
        self._complained = False
        self._listing.wrote(command.name)
        if self._shared is not None:
            self._shared.note(_records(command.group, command.pages, command.stored, checksums))
        return PagesStored(command.batch, size, evicted, kept=self._folder.kept)

    def _failed(self, error: Exception) -> None:
        """The disk can't be written for now."""
        self._writable = False
        why = str(error) or type(error).__name__
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "the disk is full" if full else error.strerror or why
        self._complain(f"pages of conversations can't be kept in {self._folder.root}: {why}; serving goes on without")

    def _complain(self, message: str) -> None:
        if not self._complained:
            self._complained = True
            log.warning("%s", message)

    # On the thread that reads.

    def _read_all(self) -> None:
        while True:
            try:
                command = self._reads.get(timeout=self._look_seconds if self._listing.asked else None)
            except queue.Empty:
                self._listing.look()
                continue
            if command is _Signal.END:
                return
            if isinstance(command, _Signal):
                self._describe()
                continue
            self._done.append(self._read(command))
            self._wake()

    def _describe(self) -> None:
        if self._hopeless:
            self._complain(
                f"kv.disk_bytes is {self._folder.quota:,}, and a page of this model takes {self._smallest:,}: its "
                "conversations are not kept on disk"
            )
        try:
            self._folder.enforce()
        except Exception as error:
            self._failed(error)
            self._writes.put(_Signal.LOOK)  # who writes waits for nothing to write, and is to try again in a while
        self._answer(self._opened())
        if self._shared is not None:
            for found in self._shared.survivors(self._epoch):
                self._answer(found)
        self._listing.describe()

    def _read(self, command: RestorePages) -> Read:
        began = time.monotonic()
        count, size = len(command.pages), self._page_bytes[command.group]
        writing = self._writing.get(command.name)
        if writing is not None:
            return Read(command, *_of_memory(command, *writing), began)
        buffer: NDArray[np.uint8] | None = None
        records: list[Record] = []
        if count * size <= BUFFER_BYTES:
            buffer = self._buffers.get()
            content = buffer[: count * size].reshape(count, size)
        else:
            content = np.empty((0, size), np.uint8)
        try:
            if buffer is None:
                content = np.empty((count, size), np.uint8)
            good, records = self._read_file(command, content)
        except FileNotFoundError:
            good = []
        except BadSegmentError as error:
            self._damaged(command, str(error))
            good = []
        except Exception as error:  # whatever it is, somebody waits for an answer
            why = error.strerror if isinstance(error, OSError) else ""
            self._misread(command, f"can't be read: {why or error}")
            good = []
        if good and not all(good):
            self._damaged(command, "has damaged pages")
        return Read(command, content, good, began, buffer, records)

    def _read_file(self, command: RestorePages, content: NDArray[np.uint8]) -> tuple[list[bool], list[Record]]:
        with self._folder.open(command.name) as opened:
            file = opened.fileno()
            segment = read_segment(file)
            last = command.first + len(command.pages)
            addresses = [page.address for page in segment.pages[command.first : last]]
            if (segment.contents, segment.group, addresses) != (self._contents, command.group, command.addresses):
                raise BadSegmentError("holds other pages than it did")
            if segment.page_bytes != content.shape[1]:
                raise BadSegmentError("holds pages of another size")
            part = slice(command.first, last)
            records = _records(command.group, command.pages, segment.pages[part], segment.checksums[part])
            return read_content(file, segment, command.first, content), records

    def _damaged(self, command: RestorePages, why: str) -> None:
        """What is damaged would be found again at the next start, and no page of it is ever written a second time."""
        self._folder.forget(command.name)
        self._misread(command, why)

    def _misread(self, command: RestorePages, why: str) -> None:
        level = logging.INFO if self._unread else logging.WARNING
        self._unread = True
        log.log(level, "%s %s; what it held is computed again", self._folder.path(command.name), why)


def _records(
    group: int, pages: Sequence[int], stored: Sequence[StoredPage], checksums: Sequence[bytes]
) -> list[Record]:
    together = zip(pages, stored, checksums, strict=True)
    return [Record(group, page, content, checksum) for page, content, checksum in together]


def _of_memory(
    command: RestorePages, stored: StorePages, content: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], list[bool]]:
    """Returns pages that are on their way to the disk."""
    last = command.first + len(command.pages)
    addresses = [page.address for page in stored.stored[command.first : last]]
    return content[command.first : last], [addresses == command.addresses] * len(command.pages)

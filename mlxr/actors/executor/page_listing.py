"""What an executor tells the KV manager of the folder with pages: segments that it can use, as they come, and pages of
other engines, which only explain misses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from mlxr.actors.kv.disk.folder import MOST_FILES, SegmentFolder
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.kv import OtherPagesFound, SegmentsFound, StoredSegment

log = logging.getLogger("mlxr.executor")

MOST_KNOWN = 4 * MOST_FILES

FOUND_AT_ONCE = 4096
"""Pages that one message names, about: it is decoded on the main process's loop."""

MOST_OTHERS = 1 << 15
"""Pages of other engines that are looked at."""


class About(Struct, frozen=True):
    """What is said of a folder's pages: their ``contents``, as in ``ExecutorReady``, and tokens from one address to the
    next."""

    contents: list[str]
    block: int


class PageListing:
    """Owns which segments the KV manager has been told of. ``page_bytes``: of each cache group. ``answer``: tells it
    something. ``complain``: told why something can't be found."""

    def __init__(
        self,
        folder: SegmentFolder,
        page_bytes: Sequence[int],
        epoch: int,
        answer: Callable[[Message], None],
        complain: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._page_bytes = page_bytes
        self._epoch = epoch
        self._answer = answer
        self._complain = complain
        self._known: set[str] | None = None
        self._changed = 0

    @property
    def asked(self) -> bool:
        """Whether the KV manager wants to be told."""
        return self._known is not None

    def describe(self) -> None:
        """Tells of all that lies there."""
        self._known, self._changed = set(), self._folder.changed
        self._tell(last=True)
        self._describe_others()

    def look(self) -> None:
        """Tells of what other engines have stored meanwhile."""
        changed = self._folder.changed
        if self._known is not None and changed != self._changed:
            self._changed = changed
            if len(self._known) > MOST_KNOWN:
                self._known = set()  # What is told twice changes nothing.
            self._tell()

    def wrote(self, name: str) -> None:
        """A segment that the KV manager has named itself. On any thread."""
        if self._known is not None:
            self._known.add(name)

    def _tell(self, *, last: bool = False) -> None:
        assert self._known is not None
        found: list[StoredSegment] = []
        pages = 0
        try:
            for name, segment in self._folder.segments(self._known):
                self._known.add(name)
                if segment.group < len(self._page_bytes) and segment.page_bytes == self._page_bytes[segment.group]:
                    found.append(StoredSegment(name, segment.group, list(segment.pages)))
                    pages += len(segment.pages)
                if pages >= FOUND_AT_ONCE:
                    self._answer(SegmentsFound(self._epoch, found))
                    found, pages = [], 0
        except Exception as error:  # whatever it is, somebody waits for the last of them
            self._complain(f"not all pages in {self._folder.root} can be found: {error}")
        if found or last:
            self._answer(SegmentsFound(self._epoch, found, last))

    def _describe_others(self) -> None:
        try:
            for about, addresses in self._folder.others(MOST_OTHERS):
                with suppress(ValueError):
                    other = msgspec.json.decode(about, type=About)
                    self._answer(OtherPagesFound(self._epoch, other.contents, other.block, addresses))
        except Exception as error:
            log.info("pages of other engines in %s can't be looked at: %s", self._folder.root, error)

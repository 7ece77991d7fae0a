"""What lies at a source: files with a size, an identity and a content that can be read from anywhere in them.

Whoever wants to know what a model is reads its header with ``RemoteFile.read``; nothing is fetched for that but the
bytes that are asked for.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import Overrides
from mlxr.actors.registry.catalogue.files import CHUNK
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS, TransferLimits
from mlxr.models.identity import stamp
from mlxr.runtime.errors import PullError
from mlxr.runtime.regular_files import open_regular


@dataclass(frozen=True, slots=True)
class Body:
    """One answer with bytes of a file.

    whole: whether it begins at the file's first byte and goes on to its last, whatever was asked for.
    pieces: the bytes as they come; raises ``Interrupted``.
    """

    whole: bool
    pieces: AsyncIterator[bytes]


class RemoteFile(Protocol):
    """One file of a model, wherever it is."""

    @property
    def name(self) -> str:
        """Its path within the model, with slashes; a plain name for a model of one file."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def identity(self) -> str:
        """What changes with its content: a digest, an etag, or the system's stamp of a local file."""

    @property
    def digest(self) -> str:
        """What its content must have: ``sha256:HEX``, or ``git:HEX`` (SHA-1 of git's blob); '' where nobody says."""

    async def read(self, start: int, count: int) -> bytes:
        """Returns ``count`` bytes from ``start``, fewer at the file's end. Raises ``PullError`` where they can't be
        had, after as many tries as are worth it."""

    def stream(self, start: int, end: int) -> AbstractAsyncContextManager[Body]:
        """Tries once to have the bytes from ``start`` up to ``end``. Raises ``Interrupted`` where another try may do
        better, else ``PullError``."""


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """What a source offers as one model.

    files: all that belongs to it, in the order in which they are fetched; of a GGUF model in parts the first part
        comes first, of a folder its ``config.json``.
    pinned: what ``mlxr pull`` would take to fetch these files again.
    lasting: whether that means exactly these for ever: then what is here of it is not fetched again.
    name: what to call the model, where its source knows only now.
    aliases: names that mean it, too.
    folder: whether the model is a folder, however many files it has.
    license: what the source says of it.
    limits: of the transfer.
    overrides: what the source lays over the files.
    adapters: files of adapters that are added to the model.
    unused: what the source has of it that mlxr does not use, in words.
    """

    files: tuple[RemoteFile, ...]
    pinned: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    folder: bool = False
    license: str = ""
    limits: TransferLimits = DEFAULT_LIMITS
    lasting: bool = True
    overrides: Overrides | None = None
    adapters: tuple[RemoteFile, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


class Changed(PullError):  # noqa: N818  (reads as what happened)
    """What came of a file is of no use any more: it is another one now."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, read as remote ones are.

    stamp: what the system said of it when it was listed (``models.identity.stamp``).
    links: whether ``path`` may be a symbolic link.
    """

    name: str
    path: Path
    size: int
    identity: str
    stamp: str
    digest: str = ""
    links: bool = True

    @classmethod
    def of(cls, name: str, path: Path, digest: str = "", *, links: bool = True) -> LocalFile:
        """Returns the file at ``path``; raises ``OSError``."""
        status = path.stat()
        seen = stamp(status)
        return cls(name, path, status.st_size, digest or seen, seen, digest, links)

    async def read(self, start: int, count: int) -> bytes:
        return await to_thread.run_sync(self._read, start, count)

    @asynccontextmanager
    async def stream(self, start: int, end: int) -> AsyncIterator[Body]:
        yield Body(False, self._pieces(start, end))

    async def _pieces(self, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end and (piece := await self.read(start, min(end - start, CHUNK))):
            yield piece
            start += len(piece)

    def _read(self, start: int, count: int) -> bytes:
        try:
            with open_regular(self.path, links=self.links) as file:
                data = os.pread(file.fileno(), count, start)
                if stamp(os.fstat(file.fileno())) != self.stamp:
                    raise Changed(f"{self.path} changed while it was copied; nothing was kept, pull again")
                return data
        except OSError as error:
            raise PullError(f"can't read {self.path}: {error.strerror or error}") from None

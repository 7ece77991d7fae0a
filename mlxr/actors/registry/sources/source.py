"""What a place that models come from must do: one ``Source`` for each kind, made for one model.

``pull.py`` does what all have in common: the staging directory, the look into what came, the catalogue. Pulls of one
model are shared (``shared_pulls.py``) and processes wait for each other (``staging.py``), so a source need not know of
either.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlxr.actors.registry.catalogue.files import DigestMismatch
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.transfer.limits import TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel

RESUMABLE = "resumable"
"""The folder of a staging directory whose files outlive a pull that failed or was cancelled, for the next one."""


@dataclass(frozen=True, slots=True)
class FetchedAdapter:
    """An adapter of a model: its file in the staging directory, its SHA-256 in hexadecimal, and what it is called."""

    path: Path
    digest: str
    name: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model, whole and checked.

    path: its file or folder, in the staging directory.
    digest: SHA-256 in hexadecimal, of the file or of the folder's listing.
    source: what ``mlxr pull`` would take to fetch exactly this again.
    license: what the source says of it, for models whose files say nothing.
    name: what to call the model in the catalogue, where ``Source.name`` did not know it yet.
    aliases: names that mean it, too.
    adapters: what is added to it.
    """

    path: Path
    digest: str
    source: str
    license: str = ""
    name: str = ""
    aliases: tuple[str, ...] = ()
    adapters: tuple[FetchedAdapter, ...] = ()


class Source(Protocol):
    """One model at one place."""

    @property
    def name(self) -> str:
        """What to call the model in the catalogue."""

    @property
    def spelled(self) -> str:
        """One spelling for all that mean the same; ``mlxr pull`` takes it."""

    @property
    def lasting(self) -> bool:
        """Whether ``spelled`` means the same files for ever: then what is here of it is not fetched again."""

    def remote(self, limits: TransferLimits) -> AbstractAsyncContextManager[RemoteModel | None]:
        """Returns what lies at the source, with nothing fetched but lists of files: each has a size, and can be read
        anywhere while the context lasts. None where a source can't be looked into, as a package can't.

        Raises as ``fetch``.
        """

    async def fetch(self, remote: RemoteModel | None, staging: Path, report: Report, reader: MetadataReader) -> Fetched:
        """Fetches the model into ``staging``, which nobody else uses meanwhile. ``remote``: what ``remote()`` gave.

        It reports its progress; goes on from what an earlier fetch left in ``staging / RESUMABLE``; checks the digest
        where one is known, before anything else is done with a file; and stops soon when it is cancelled, without a
        thread or a process left. ``reader`` can look at a file before more is fetched.

        Raises ``ModelNotFound``, ``PullError``, ``OutOfSpace``, ``UnusableModelError`` and ``OSError``.
        """


def check_digest(digest: str, wanted: str, what: str, source: Source, way_out: str) -> None:
    """Raises ``DigestMismatch`` where a file's digest is not the one it should have, if one is known."""
    if wanted and wanted != digest:
        raise DigestMismatch(
            f"{what} from {source.spelled} has SHA-256 {digest}, but should have {wanted}; nothing was kept: {way_out}"
        )

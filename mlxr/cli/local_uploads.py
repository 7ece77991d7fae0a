"""Files of the user's that become uploads in the home, as those that clients send to a server do."""

from __future__ import annotations

import hashlib
from pathlib import Path

from anyio import to_thread

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.uploads import BlobWriter
from mlxr.actors.registry.progress import Progress, Report
from mlxr.runtime.paths import Home
from mlxr.runtime.regular_files import open_regular


async def digest_of(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal. Raises ``OSError``."""
    return await to_thread.run_sync(_digest, path)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(files.CHUNK):
            found.update(piece)
    return found.hexdigest()


class LocalUploads:
    """Copies files to where uploads lie. ``drop`` removes those of which no model was made."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._placed: list[str] = []

    async def take(self, path: Path, report: Report) -> str:
        """Copies a file, unless its content is here, and returns its digest. Raises ``OSError``, ``PullError``."""
        digest = await digest_of(path)
        if await to_thread.run_sync(files.find, self._home, digest) is not None:
            report(Progress(f"using existing layer sha256:{digest}"))
        else:
            # Before it is there: an interruption comes in between.
            self._placed.append(digest)
            await to_thread.run_sync(self._copy, path, digest, report)
        return f"sha256:{digest}"

    def drop(self) -> None:
        """Removes what lies among the uploads still. Blocking."""
        for digest in self._placed:
            files.remove(files.upload_path(self._home, digest))

    def _copy(self, path: Path, digest: str, report: Report) -> None:
        with open_regular(path) as source:
            size = path.stat().st_size
            with BlobWriter(self._home, f"sha256:{digest}", size) as blob:
                done = 0
                while piece := source.read(files.CHUNK):
                    blob.write(piece)
                    done += len(piece)
                    report(Progress(f"copying file sha256:{digest}", total=size, completed=done))
                blob.commit()

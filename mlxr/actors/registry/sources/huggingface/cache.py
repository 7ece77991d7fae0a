"""Files that huggingface_hub's own cache holds: they need not come over the network again, and serve without one."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from mlxr.actors.registry.sources.huggingface.hub import HubFile, Repository
from mlxr.actors.registry.sources.huggingface.name import HubName
from mlxr.actors.registry.sources.transfer.remote_file import LocalFile

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids to ask the Hub. In a worker thread."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def cached_repository(name: HubName) -> Repository | None:
    """Returns what the cache holds of a repository at a revision; None where it does not. In a worker thread."""
    folder = _folder(name.repo)
    commit = name.revision
    if not _COMMIT.fullmatch(commit):
        try:
            commit = (folder / "refs" / name.revision).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
    root = folder / "snapshots" / commit
    if not _COMMIT.fullmatch(commit) or not root.is_dir():
        return None
    found = []
    for directory, _, names in os.walk(root):
        for each in names:
            path = Path(directory, each)
            if path.is_file():
                digest = _digest(Path(os.path.realpath(path)).name)
                found.append(HubFile(path.relative_to(root).as_posix(), path.stat().st_size, digest))
    return Repository(name.repo, commit, tuple(sorted(found, key=lambda file: file.path)))


def cached_file(repository: Repository, file: HubFile, name: str) -> LocalFile | None:
    """``file`` in the cache, called ``name`` in its model; None where it is not there. In a worker thread."""
    folder = _folder(repository.id)
    blob = file.digest.partition(":")[2]
    snapshot = folder / "snapshots" / repository.commit / file.path
    for path in (snapshot, *([folder / "blobs" / blob] if blob else [])):
        with suppress(OSError):
            found = LocalFile.of(name, path, file.digest)
            if found.size == file.size:
                return found
    return None


def _folder(repo: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")


def _digest(blob: str) -> str:
    """What the name of a file of the cache says of its content."""
    if _SHA256.fullmatch(blob):
        return f"sha256:{blob}"
    return f"git:{blob}" if _COMMIT.fullmatch(blob) else ""

"""Hugging Face's cache: ``models--ORG--REPOSITORY/`` with ``refs/NAME`` (a commit), ``snapshots/COMMIT/`` (links) and
``blobs/`` (what they lead to, large files by their SHA-256)."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from mlxr.actors.registry.catalogue.files import hash_file
from mlxr.actors.registry.catalogue.local_files import gguf_files, members
from mlxr.actors.registry.tool_stores.model_folders import models_in
from mlxr.actors.registry.tool_stores.naming import repository_models
from mlxr.actors.registry.tool_stores.tool_model import Scan
from mlxr.actors.registry.tool_stores.walk import Walk
from mlxr.runtime.regular_files import read_regular

TOOL = "huggingface"
MAIN = "main"
_PREFIX = "models--"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def scan(folder: Path) -> Scan:
    """Returns the models of one cache: of each repository those of its branch ``main``, and of other versions behind
    an ``@``."""
    walk = Walk("Hugging Face")
    found = Scan(problems=walk.problems)
    for place in walk.folders(folder):
        if place.name.startswith(_PREFIX):
            name = place.name.removeprefix(_PREFIX).replace("--", "/", 1)
            for snapshot, version in _versions(walk, place).items():
                models = list(models_in(walk, place / "snapshots" / snapshot, 2))
                found.models += repository_models(TOOL, name, models, known_digest, version)
    return found


def _versions(walk: Walk, repository: Path) -> dict[str, str]:
    """What each snapshot is called: '' for that of ``main``, else a ref's name or the beginning of its commit."""
    snapshots = [folder.name for folder in walk.folders(repository / "snapshots") if _COMMIT.fullmatch(folder.name)]
    called = {commit: commit[:8] for commit in snapshots}
    for entry in walk.entries(repository / "refs"):
        if walk.is_file(entry):
            try:
                commit = read_regular(Path(entry.path), 1024).decode("ascii", "replace").strip()
            except OSError:
                continue
            if called.get(commit):
                called[commit] = "" if entry.name == MAIN else entry.name
    if snapshots and "" not in called.values():
        # Fetched by its commit alone: then one of them is as good as the branch.
        newest = max(snapshots, key=lambda commit: _age(repository / "snapshots" / commit))
        called[newest] = ""
    return called


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def known_digest(path: Path) -> str:
    """Returns the digest of a model in a snapshot without reading its large files, which the cache names by theirs.
    Raises ``OSError``, ``ValueError`` and ``ModelFileError``."""
    if path.is_dir():
        found = [(member.path.as_posix(), path / member.path) for member in members(path)]
    else:
        parts = gguf_files(path)
        if len(parts) == 1:
            return _digest(parts[0])
        found = [(part.name, part) for part in parts]
    listing = "".join(f"{_digest(file)}  {name}\n" for name, file in found)
    return hashlib.sha256(listing.encode()).hexdigest()


def _digest(file: Path) -> str:
    blob = os.path.realpath(file)
    name = os.path.basename(blob)
    named = _SHA256.fullmatch(name) and os.path.basename(os.path.dirname(blob)) == "blobs"
    return name if named else hash_file(file)

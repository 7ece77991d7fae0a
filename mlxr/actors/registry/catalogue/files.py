"""Model files on disk, by content.

HOME/models/blobs/sha256-DIGEST   a file
HOME/models/DIGEST/               a folder; its digest is that of its listing in ``sha256sum`` format
HOME/models/uploads/sha256-DIGEST a file that a client sent, of which no model was made yet
HOME/models/partial/              what is not whole yet, and what is on its way out
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlxr.actors.registry.catalogue.local_files import gguf_files, link_roots, members
from mlxr.models import names
from mlxr.models.formats.gguf.split import holds_gguf
from mlxr.models.sizes import readable
from mlxr.runtime import pacing
from mlxr.runtime.errors import PullError
from mlxr.runtime.paths import Home
from mlxr.runtime.regular_files import open_regular

CHUNK = 1 << 20
MARGIN = 32 << 20
"""Bytes to leave free on the disk: the catalogue and other programs need some."""


class OutOfSpace(PullError):  # noqa: N818  (reads as what happened)
    """The disk of ``directory`` has no room for ``needed`` more bytes (0 where that isn't known)."""

    def __init__(self, directory: Path, needed: int) -> None:
        free = shutil.disk_usage(directory).free
        need = f"{readable(needed)} needed, " if needed else ""
        super().__init__(
            f"no space left in {directory}: {need}{readable(free)} free; make room, or set MLXR_HOME to a larger disk"
        )
        self.needed = needed


class DigestMismatch(PullError):  # noqa: N818  (reads as what happened)
    """The bytes that came are not those that were announced."""


def blobs(home: Home) -> Path:
    return home.models / "blobs"


def blob_path(home: Home, digest: str) -> Path:
    return blobs(home) / f"sha256-{digest}"


def uploads(home: Home) -> Path:
    return home.models / "uploads"


def upload_path(home: Home, digest: str) -> Path:
    return uploads(home) / f"sha256-{digest}"


def find(home: Home, digest: str) -> Path | None:
    """Returns the file of that content, a model's or an uploaded one."""
    paths = (blob_path(home, digest), upload_path(home, digest))
    return next((path for path in paths if path.is_file()), None)


def folder_path(home: Home, digest: str) -> Path:
    return home.models / digest


def partial(home: Home) -> Path:
    """Returns the directory for unfinished files, made if need be. On the same file system as their final place. Raises
    ``PullError`` where it can't be."""
    path = home.models / "partial"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise PullError(f"can't write to {home.models}: {error.strerror}; MLXR_HOME sets another place") from error
    return path


def hash_file(path: Path) -> str:
    """Returns the SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with open_regular(path) as file, pacing.background() as pacer:
        while piece := file.read(CHUNK):
            digest.update(piece)
            pacer.pause()
    return digest.hexdigest()


def hash_folder(folder: Path) -> str:
    """Returns the SHA-256 of the folder's ``sha256sum`` listing, sorted by path. Raises ``ValueError`` and ``OSError``
    as ``local.members`` does."""
    return _hash_listing(folder, [member.path for member in members(folder)])


def _hash_listing(folder: Path, found: list[Path]) -> str:
    listing = "".join(f"{hash_file(folder / path)}  {path.as_posix()}\n" for path in found)
    return hashlib.sha256(listing.encode()).hexdigest()


def digest_of(path: Path) -> str:
    """Returns what ``copy_model`` would make of it: that of a file, or of a listing of files."""
    if not holds_gguf(path):
        return hash_folder(path)
    parts = gguf_files(path)
    return hash_file(parts[0]) if len(parts) == 1 else _hash_listing(parts[0].parent, [Path(p.name) for p in parts])


def copy(source: Path, target: Path, check: Callable[[], None] = lambda: None, *, links: bool = True) -> str:
    """Copies a file, onto the disk when this returns; its SHA-256. ``check`` is called often and may raise to stop.
    ``links``: whether ``source`` may be a symbolic link."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with open_regular(source, links=links) as reader, create(target) as writer, pacing.background() as pacer:
        while piece := reader.read(CHUNK):
            check()
            pacer.pause()
            writer.write(piece)
            digest.update(piece)
    sync(target)
    return digest.hexdigest()


def copy_model(path: Path, work: Path, check: Callable[[], None] = lambda: None) -> tuple[Path, str]:
    """Copies a GGUF model or model folder into ``work``; where to, and its digest. Raises as ``copy``, ``members`` and
    ``gguf_files``."""
    parts = gguf_files(path) if holds_gguf(path) else []
    if len(parts) == 1:
        return work / "model", copy(parts[0], work / "model", check)
    out = work / "folder"
    remove(out)
    if parts:
        for part in parts:
            copy(part, out / part.name, check)
        return out, hash_folder(out)
    root = Path(os.path.realpath(path))
    roots = link_roots(root)
    for member in members(root):
        # A link within the folder was looked at: not another one that has taken its place since.
        source = Path(os.path.realpath(root / member.path))
        if not any(source.is_relative_to(allowed) for allowed in roots):
            raise ValueError(f"{names.quoted(str(member.path))} in it is a link that leads out of it")
        copy(source, out / member.path, check, links=False)
    return out, hash_folder(out)


def create(path: Path) -> BinaryIO:
    """Returns a new, empty file that its owner alone may read; in place of what has that name, which is not written
    to."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def size_of(path: Path) -> int:
    """Returns how many bytes a file has, or all files in a folder together."""
    if path.is_dir():
        return sum(member.stat().st_size for member in path.rglob("*") if member.is_file())
    return path.stat().st_size


def place(home: Home, unfinished: Path, final: Path) -> None:
    """Gives whole, written-out files their final name, in place of what a fault may have left there."""
    final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if final.is_dir():
        remove(set_aside(home, final))
    unfinished.replace(final)


def place_new(home: Home, unfinished: Path, final: Path) -> None:
    """As ``place``, but files that are there already, of the digest that ``final`` names, stay where they are whole: an
    engine may have opened them, to which others in their place would be another model."""
    if not final.exists() or size_of(final) != size_of(unfinished):
        place(home, unfinished, final)


def adopt(home: Home, digest: str) -> None:
    """Makes an uploaded file a model's; nothing to do where it is one already."""
    if not blob_path(home, digest).is_file():
        place(home, upload_path(home, digest), blob_path(home, digest))


def set_aside(home: Home, path: Path) -> Path:
    """Renames ``path`` out of sight, to be removed when nothing depends on the outcome; returns its new name."""
    return path.rename(partial(home) / f"gone-{secrets.token_hex(8)}-{path.name}")


def is_set_aside(path: Path) -> bool:
    """Whether ``set_aside`` gave ``path`` its name."""
    return path.name.startswith("gone-")


def gone(home: Home) -> dict[Path, Path]:
    """Returns where files and folders of models came from that were set aside and not removed, by where they are."""
    found: dict[Path, Path] = {}
    for path in partial(home).glob("gone-*-*"):
        name = path.name.split("-", 2)[2]
        found[path] = (blobs(home) if name.startswith("sha256-") else home.models) / name
    return found


def remove(path: Path) -> None:
    """Deletes a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Force a file to the disk before its name promises that it is whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_space(directory: Path, needed: int) -> None:
    """Raises ``OutOfSpace`` where ``directory``'s disk can't take ``needed`` more bytes."""
    if shutil.disk_usage(directory).free < needed + MARGIN:
        raise OutOfSpace(directory, needed + MARGIN)


@contextmanager
def space_for(directory: Path, needed: int) -> Iterator[None]:
    """Checks for room in ``directory``, and turns a disk that fills up after all into ``OutOfSpace``."""
    require_space(directory, needed)
    with naming_full_disk(directory, needed):
        yield


@contextmanager
def naming_full_disk(directory: Path, needed: int = 0) -> Iterator[None]:
    """Turns the system's word that the disk of ``directory`` is full into ``OutOfSpace``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutOfSpace(directory, needed) from error
        raise

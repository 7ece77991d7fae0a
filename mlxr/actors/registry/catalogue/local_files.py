"""Models by their paths: what may be read there, and what is said where nothing is.

A path comes from a client, who may not be who owns the files. Nothing is opened but regular files, nothing is read
that lies outside of a model folder, and who asks hears the same of a path that is missing, unreadable or no model.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path
from typing import NamedTuple

from mlxr.models import names
from mlxr.models.adapters.file_names import holds_adapter
from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.split import first_file, holds_gguf, part_files
from mlxr.models.formats.pickles import REFUSED, begins_as_pickle, named_as_pickle, pickle_in
from mlxr.models.identity import stamp
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.regular_files import open_regular

MAGIC = b"GGUF"
MOST_MEMBERS = 4096
"""Files and folders in a model folder: a name such as ``/`` must not have the whole disk looked through."""
MOST_DEPTH = 16
LATEST = 253402300799.0
"""The last second of the year 9999, which is as far as dates can be written."""


class NoModelAtPath(ModelNotFound):
    """No model can be read at a path. The text is for clients and the same whatever the reason; ``why`` is for the
    user at the command line, and ``reason`` the end of it."""

    def __init__(self, path: Path, why: str) -> None:
        name = names.quoted(str(path))
        super().__init__(f"no model can be read at {name}; at the server's command line `mlxr show` says why")
        self.reason = why
        self.why = f"no model can be read at {name}: {why}"


class Member(NamedTuple):
    """A file of a model folder: its path within it, and what the system says of it."""

    path: Path
    status: os.stat_result


class ModelStat(NamedTuple):
    """What the system says of a local model.

    fingerprint: changes when one of its files does.
    size: in bytes.
    modified: seconds since the epoch.
    """

    fingerprint: str
    size: int
    modified: float


def stat_model(path: Path) -> ModelStat:
    """Asks the system about the GGUF model or model folder ``path``, of which it reads four bytes a file, or none;
    raises ``NoModelAtPath``."""
    try:
        status = path.stat()
        if holds_gguf(path):
            found = [Member(Path(file.name), _gguf_status(path, file)) for file in gguf_files(path)]
            if len(found) == 1:
                status = found[0].status
                return ModelStat(stamp(status), status.st_size, _moment(status))
            status = max((member.status for member in found), key=lambda status: status.st_mtime)
        elif not _like_a_model(path):
            pickle = pickle_in(path)
            why = f"{names.quoted(pickle)} in it is {REFUSED}" if pickle else "and no *.gguf"
            raise NoModelAtPath(path, f"the folder has no config.json beside *.safetensors, {why}")
        else:
            found = members(path)
    except OSError as error:
        raise NoModelAtPath(path, error.strerror or str(error)) from None
    except ValueError as error:
        raise NoModelAtPath(path, str(error)) from None
    except ModelFileError as error:
        raise NoModelAtPath(path, error.within(path)) from None
    listing = "".join(f"{stamp(member.status)} {member.path.as_posix()}\n" for member in found)
    size = sum(member.status.st_size for member in found)
    return ModelStat(hashlib.sha256(listing.encode()).hexdigest(), size, _moment(status))


def gguf_files(path: Path) -> list[Path]:
    """Returns the files of the GGUF model that ``path`` names, a file, a part or a folder, as far as they are there.

    Raises ``ValueError`` for a link out of their folder, ``ModelFileError`` for a folder of several models.
    """
    files = [file for file in part_files(path) if os.path.lexists(file)]
    places = {os.path.dirname(os.path.realpath(file)) for file in files}
    if path.is_dir() and not places <= set(link_roots(path)):
        way_out = "pull a copy without links, as `cp -rL` makes it"
        raise ValueError(f"{names.quoted(files[0].name)} in it is a link that leads to no file within it; {way_out}")
    if len(places) > 1:  # who may name one part need not be allowed to read what lies elsewhere
        raise ValueError("its parts are links into several folders; give the path of a folder that holds them all")
    return files or [first_file(path)]


def _gguf_status(path: Path, file: Path) -> os.stat_result:
    """What the system says of a file of the model at ``path``; raises ``NoModelAtPath`` for one of another kind."""
    with open_regular(file) as opened:
        start = opened.read(len(MAGIC))
        if start != MAGIC:
            pickled = named_as_pickle(file.name) or begins_as_pickle(start)
            raise NoModelAtPath(path, f"the file is {REFUSED}" if pickled else "the file is no GGUF file")
        return os.fstat(opened.fileno())


def _like_a_model(folder: Path) -> bool:
    """Whether a model's files lie in ``folder`` itself: what lies deeper in other folders is not looked through."""
    with os.scandir(folder) as entries:
        top = {entry.name for entry in itertools.islice(entries, MOST_MEMBERS)}
    return holds_adapter(top) or ("config.json" in top and any(name.endswith(".safetensors") for name in top))


def _moment(status: os.stat_result) -> float:
    """When a file was changed, as far as calendars reach."""
    return min(max(status.st_mtime, 0.0), LATEST)


def members(folder: Path) -> list[Member]:
    """Returns the files of a model folder, sorted by their paths.

    Raises ``ValueError`` saying what is in it that no model folder has (links out of it, FIFOs, names that a listing
    of one line for each file can't hold), ``OSError`` for what can't be read.
    """
    roots = link_roots(folder)
    found: list[Member] = []
    waiting = [Path()]
    seen = 0
    while waiting:
        place = waiting.pop()
        with os.scandir(folder / place) as entries:
            for entry in entries:
                seen += 1
                if seen > MOST_MEMBERS:
                    raise ValueError(f"the folder holds more than {MOST_MEMBERS} files")
                inside = place / entry.name
                if not names.plain(entry.name):
                    raise ValueError(f"the name of the file {names.quoted(entry.name)} in it is not one plain line")
                if _enters(entry, roots):
                    if len(inside.parts) > MOST_DEPTH:
                        raise ValueError(f"its folders lie more than {MOST_DEPTH} deep in each other")
                    waiting.append(inside)
                else:
                    found.append(Member(inside, entry.stat()))
    return sorted(found)


def link_roots(folder: Path) -> list[str]:
    """Returns the folders that links in a model folder may lead into: itself, and for a snapshot in Hugging Face's
    cache (``models--ORG--REPO/snapshots/COMMIT``) the ``blobs`` beside it, where its files lie."""
    root = os.path.realpath(folder)
    snapshots, repository = os.path.dirname(root), os.path.dirname(os.path.dirname(root))
    if os.path.basename(snapshots) == "snapshots" and os.path.basename(repository).startswith("models--"):
        blobs = os.path.join(repository, "blobs")
        if os.path.realpath(blobs) == blobs:  # a link there could lead anywhere
            return [root, blobs]
    return [root]


def _enters(entry: os.DirEntry[str], roots: list[str]) -> bool:
    """Whether ``entry`` is a folder, and not a file; raises ``ValueError`` for anything else."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not os.path.isfile(target) or not any(os.path.commonpath([root, target]) == root for root in roots):
            way_out = "pull a copy without links, as `cp -rL` makes it"
            raise ValueError(f"{names.quoted(entry.name)} in it is a link that leads to no file within it; {way_out}")
        return False
    if entry.is_dir(follow_symlinks=False):
        return True
    if not entry.is_file(follow_symlinks=False):
        raise ValueError(f"{names.quoted(entry.name)} in it is neither a file nor a folder")
    return False


def lies_within(path: Path, folders: list[Path]) -> bool:
    """Whether ``path`` lies in one of ``folders``, links resolved."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)

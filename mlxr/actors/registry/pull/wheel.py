"""What a wheel holds of a model: a GGUF file, part of one, or a folder with ``config.json`` and safetensors."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import IO

from mlxr.actors.registry.files import CHUNK
from mlxr.runtime.errors import PullError

_PART = re.compile(r"(.+\.gguf)\.part(\d+)", re.IGNORECASE)
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_MAX_TEXT = 1 << 20
"""Bytes to read at most of a small text file in a wheel."""


@dataclass(frozen=True, slots=True)
class Part:
    """Piece ``number`` of the GGUF file ``whole``."""

    whole: str
    number: int
    member: zipfile.ZipInfo


@dataclass(frozen=True, slots=True)
class Contents:
    """``sums``: SHA-256 by file name, from ``SHA256SUMS``. ``folder``: the members of a safetensors model by their
    path within it. ``requires``: packages by name with the exact version, '' where none is pinned."""

    version: str
    license: str
    ggufs: list[zipfile.ZipInfo]
    parts: list[Part]
    folder: dict[str, zipfile.ZipInfo]
    sums: dict[str, str]
    requires: dict[str, str]


def read_contents(wheel: Path) -> Contents:
    """Look into a wheel; raises ``PullError`` for a damaged one."""
    with opened(wheel) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        metadata = HeaderParser().parsestr(_text(archive, members, "METADATA"))
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
            sums=_sums(_text(archive, members, "SHA256SUMS")),
            requires=dict(_requirement(line) for line in metadata.get_all("Requires-Dist", [])),
        )


def pieces(wheel: Path, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """One member's content, piece by piece; raises ``PullError`` for a damaged wheel."""
    with opened(wheel) as archive, archive.open(member) as source:
        while piece := _piece(wheel, source):
            yield piece


@contextmanager
def opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(wheel)
    except zipfile.BadZipFile as error:
        raise _damaged(wheel, error) from None
    with archive:
        yield archive


def _piece(wheel: Path, source: IO[bytes]) -> bytes:
    try:
        return source.read(CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
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
    return {path.as_posix(): member for path, member in inside.items() if ".." not in path.parts}


def _text(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str) -> str:
    """The small text file ``name``; of several, the shallowest."""
    found = [member for member in members if PurePosixPath(member.filename).name == name]
    if not found:
        return ""
    first = min(found, key=lambda member: member.filename.count("/"))
    if first.file_size > _MAX_TEXT:
        return ""
    with archive.open(first) as file:
        return file.read(_MAX_TEXT).decode("utf-8", "replace")


def _sums(text: str) -> dict[str, str]:
    """Lines of ``sha256sum``: a hexadecimal digest, two spaces (or space and asterisk), a path."""
    matches = (_SUM.fullmatch(line.strip()) for line in text.splitlines())
    return {PurePosixPath(match[2]).name: match[1].lower() for match in matches if match}


def _requirement(line: str) -> tuple[str, str]:
    """Name and pinned version of a ``Requires-Dist`` line."""
    spec = line.partition(";")[0].strip()
    name = re.split(r"[\s\[(<>=!~]", spec, maxsplit=1)[0]
    pinned = re.search(r"==\s*([^\s,)*]+)", spec)
    return re.sub(r"[-_.]+", "-", name).lower(), pinned[1] if pinned else ""

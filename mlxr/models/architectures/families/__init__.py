"""The families that mlxr runs, one file each. ``docs/adding/model-family.md`` says how to add one."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlxr.models.hyperparameters import Format
from mlxr.runtime.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlxr.models.architectures.families.all_families import FAMILIES
    from mlxr.models.architectures.families.family import Family

__all__ = ["FAMILIES", "by_architecture", "encoder_family", "find"]

__getattr__ = lazy_names(__name__, {"FAMILIES": "all_families"})

_FILE = re.compile(r"[a-z][a-z0-9_]*")


def by_architecture(format: Format, families: Sequence[Family] | None = None) -> dict[str, Family]:
    """Returns the families that run from ``format``, by what its files call them. ``families``: None for all."""
    return {
        name: family
        for family in known(families)
        if format in family.tables
        for name in family.tables[format].architectures
    }


def find(format: Format, architecture: str, families: Sequence[Family] | None = None) -> Family | None:
    """Returns the family that runs what files of ``format`` call ``architecture``. It mostly lies in a file of that
    name, and no other is imported then."""
    if families is None and (named := _in_file_of_that_name(format, architecture)) is not None:
        return named
    return by_architecture(format, families).get(architecture)


def known(families: Sequence[Family] | None) -> Sequence[Family]:
    """Returns ``families``, None for all."""
    if families is None:
        from mlxr.models.architectures.families.all_families import FAMILIES

        return FAMILIES
    return families


def encoder_family(format: Format, architecture: str, families: Sequence[Family] | None = None) -> bool:
    """Returns whether files of that architecture hold an encoder, whatever else they say."""
    family = find(format, architecture, families)
    return family is not None and family.encoder


def _in_file_of_that_name(format: Format, architecture: str) -> Family | None:
    name = f"{__name__}.{architecture}"
    if not _FILE.fullmatch(architecture) or find_spec(name) is None:
        return None
    family: Family | None = getattr(importlib.import_module(name), "FAMILY", None)
    if family is None or format not in family.tables or architecture not in family.tables[format].architectures:
        return None
    return family

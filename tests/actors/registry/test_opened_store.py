from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.opened_store import open_store
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.errors import StartError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf, unheard


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    tiny_gguf(tmp_path / "tiny.gguf")
    await pull_model(home, str(tmp_path / "tiny.gguf"), unheard)
    return home


async def test_what_a_killed_process_set_aside_is_back_before_anybody_looks(home: Home) -> None:
    (blob,) = files.blobs(home).iterdir()
    files.set_aside(home, blob)
    store = await open_store(home)
    assert [entry.blob.path.exists() for entry in await store.models()] == [True]
    await store.close()


async def test_a_catalogue_of_a_newer_version_is_refused_with_one_way_out(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StartError) as raised:
        await open_store(home)
    assert "newer mlxr (schema 99" in str(raised.value)
    assert str(raised.value).count("MLXR_HOME") == 1

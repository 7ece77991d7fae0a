from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue.full_disk import freed
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.errors import ModelError, ModelNotFound
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf, unheard


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    for name in ("one", "two"):
        tiny_gguf(tmp_path / f"{name}.gguf", name)
        await pull_model(home, str(tmp_path / f"{name}.gguf"), unheard)
    return home


def leave_changes(home: Home) -> None:
    Path(f"{home.database}-wal").write_bytes(b"changes")


async def test_files_go_before_their_name_and_nothing_else_does(home: Home) -> None:
    assert await freed(home, ["ONE"])
    assert len(files_under(home.models)) == 1
    store = await Store.open(home)
    assert (await store.delete("one")).name == "one"
    assert [entry.name for entry in await store.models()] == ["two"]
    await store.close()


async def test_what_another_name_stands_for_stays(home: Home) -> None:
    store = await Store.open(home)
    await store.copy("one", "same")
    await store.close()
    assert not await freed(home, ["one"])
    assert len(files_under(home.models)) == 2
    assert await freed(home, ["one", "same"])
    assert len(files_under(home.models)) == 1


async def test_nothing_goes_while_changes_wait_beside_the_catalogue(home: Home) -> None:
    leave_changes(home)
    assert not await freed(home, ["one"])
    assert len(files_under(home.models)) == 2


async def test_a_name_that_is_none_is_said_before_anything_goes(home: Home) -> None:
    with pytest.raises(ModelNotFound, match="did you mean"):
        await freed(home, ["one", "onne"])
    assert len(files_under(home.models)) == 2


async def test_a_copy_is_read_and_takes_no_change(home: Home) -> None:
    store = await Store.open(home, copy=True)
    assert {entry.name for entry in await store.models()} == {"one", "two"}
    with pytest.raises(ModelError):
        await store.delete("one")
    await store.close()

"""Catalogues that are lost, damaged or read-only: no model is lost with them."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from mlxr.actors.registry.catalogue import files, tables
from mlxr.actors.registry.catalogue.aliases import Alias
from mlxr.actors.registry.catalogue.entry import Overrides
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime import paths
from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf, unheard
from tests.actors.registry.rig import running


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    """A home with the models ``tiny`` (with a system prompt, and a copy) and ``folder``, old enough for anything."""
    home = Home(tmp_path / "home")
    tiny_gguf(tmp_path / "tiny.gguf", "Tiny Model, 1B!")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in tiny_bert().items():
        (folder / name).write_bytes(content)
    store = await Store.open(home)
    await pull_model(home, str(tmp_path / "tiny.gguf"), unheard, store)
    await pull_model(home, str(folder), unheard, store)
    tiny = await store.get("tiny")
    await store.add("mine", tiny.blob, source=tiny.source, overrides=Overrides(system="be brief"))
    await store.close()
    for path in [home.models, *home.models.rglob("*")]:
        os.utime(path, (0, 0))
    return home


async def names_in(home: Home) -> list[str]:
    store = await Store.open(home)
    try:
        return sorted(entry.name for entry in await store.models())
    finally:
        await store.close()


def lose(home: Home) -> None:
    for path in home.root.glob("registry.sqlite*"):
        path.unlink()


def empty(home: Home) -> None:
    lose(home)
    home.database.touch()


@pytest.mark.parametrize("make", [lose, empty])
async def test_a_lost_catalogue_is_made_anew_from_its_models_and_says_so(
    home: Home, make: Callable[[Home], None], caplog: pytest.LogCaptureFixture
) -> None:
    before = files_under(home.models)
    make(home)
    (name,) = [path.name for path in home.models.iterdir() if path.name not in ("blobs", "partial")]
    with caplog.at_level(logging.WARNING, "mlxr"):
        assert await names_in(home) == ["Tiny-Model-1B", f"recovered-{name[:12]}"]
    assert "was lost; found again in" in caplog.text
    assert "Tiny-Model-1B" in caplog.text
    assert files_under(home.models) == before


async def test_a_server_that_starts_without_its_catalogue_serves_the_models_that_it_had(
    home: Home, tmp_path: Path
) -> None:
    before = files_under(home.models)
    lose(home)
    async with running(home.root, tmp_path / "run") as rig:
        await rig.until(lambda: "Tiny-Model-1B" in rig.models())
    assert files_under(home.models) == before


async def test_a_known_file_gets_its_known_name_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (blob,) = home.models.glob("blobs/*")
    known = Alias("known", "pypi:known==1", blob.name.removeprefix("sha256-"), 1)
    monkeypatch.setattr("mlxr.actors.registry.catalogue.rebuild.BUILT_IN", (known,))
    lose(home)
    store = await Store.open(home)
    assert (await store.get("pypi:known==1")).name == "known"
    await store.close()


async def test_files_that_call_themselves_the_same_get_names_of_their_own(home: Home, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "two.gguf", "Tiny Model, 1B!", context=64)
    await pull_model(home, str(tmp_path / "two.gguf"), unheard)
    lose(home)
    assert {"Tiny-Model-1B", "Tiny-Model-1B-2"} < set(await names_in(home))


async def test_what_is_no_model_is_left_alone(home: Home) -> None:
    lose(home)
    broken = files.blob_path(home, "0" * 64)
    broken.write_bytes(b"GGUF")
    assert len(await names_in(home)) == 2
    assert broken.exists()


async def test_all_who_find_a_catalogue_lost_or_damaged_at_once_find_the_same(home: Home) -> None:
    for make in (lose, lambda home: home.database.write_bytes(b"garbage" * 1000)):
        make(home)
        found: list[list[str]] = []

        async def look(found: list[list[str]] = found) -> None:
            found.append(await names_in(home))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(look)
        assert found == [found[0]] * 5
    assert len(set_aside(home)) == 1


def set_aside(home: Home) -> list[Path]:
    """Damaged catalogues, without what SQLite has beside them."""
    return [path for path in home.root.glob("registry.sqlite.damaged-*") if path.name[-1].isdigit()]


def garbage(home: Home) -> None:
    home.database.write_bytes(b"\xff" * 5000)


def truncated(home: Home) -> None:
    home.database.write_bytes(home.database.read_bytes()[:5000])


def overwritten(home: Home) -> None:
    data = bytearray(home.database.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    home.database.write_bytes(data)


def changed(*statements: str) -> Callable[[Home], None]:
    def change(home: Home) -> None:
        with sqlite3.connect(home.database) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    change.__name__ = statements[0]
    return change


DAMAGE = [
    garbage,
    truncated,
    overwritten,
    changed("DROP TABLE models"),
    changed("DROP TABLE local_files"),
    changed("ALTER TABLE blobs RENAME COLUMN facts TO other"),
    changed("PRAGMA user_version = -1"),
    changed("PRAGMA user_version = 0"),
    changed("UPDATE blobs SET facts = '{}'"),
    changed("UPDATE blobs SET facts = 5"),
    changed("UPDATE blobs SET size = 'large'"),
    changed("UPDATE models SET modified = 'yesterday'"),
    changed("UPDATE models SET overrides = '[]'"),
    changed("UPDATE models SET source = CAST(x'ff' AS TEXT)"),
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
async def test_a_damaged_catalogue_is_set_aside_and_made_anew(
    home: Home, damage: Callable[[Home], None], caplog: pytest.LogCaptureFixture
) -> None:
    before = files_under(home.models)
    damage(home)
    with caplog.at_level(logging.WARNING, "mlxr"):
        assert len(await names_in(home)) >= 2
    assert "is damaged: " in caplog.text
    assert "it is kept as" in caplog.text
    assert len(set_aside(home)) == 1
    assert files_under(home.models) == before
    caplog.clear()
    assert len(await names_in(home)) >= 2
    assert caplog.text == ""


async def test_names_and_what_was_laid_over_files_are_taken_over_where_they_can_still_be_read(home: Home) -> None:
    changed("UPDATE blobs SET facts = '{}'")(home)
    store = await Store.open(home)
    assert sorted(entry.name for entry in await store.models()) == ["folder", "mine", "tiny"]
    assert (await store.get("mine")).overrides.system == "be brief"
    await store.close()


async def test_a_catalogue_of_a_newer_mlxr_is_no_damaged_one(home: Home) -> None:
    changed("PRAGMA user_version = 99")(home)
    with pytest.raises(ModelError, match="newer mlxr"):
        await Store.open(home)
    assert not set_aside(home)


async def test_a_catalogue_that_cannot_be_opened_is_named(home: Home) -> None:
    lose(home)
    home.database.mkdir()
    with pytest.raises(ModelError, match=r"can't open the catalogue .*registry\.sqlite"):
        await Store.open(home)


async def test_a_home_that_cannot_be_looked_into_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied", str(home.database))

    monkeypatch.setattr(os, "access", refuse)
    with pytest.raises(ModelError, match=r"can't use .*home for models: Permission denied; set MLXR_HOME"):
        await Store.open(home)


@pytest.mark.parametrize("make", [lose, garbage])
async def test_a_catalogue_that_is_lost_or_damaged_under_a_running_server_is_made_anew(
    home: Home, make: Callable[[Home], None]
) -> None:
    store = await Store.open(home)
    make(home)
    if make is garbage:
        lose(home)
        garbage(home)
    assert await store.changed_elsewhere()
    assert "Tiny-Model-1B" in {entry.name for entry in await store.models()}
    assert not await store.changed_elsewhere()
    await store.close()


async def test_a_home_is_its_owners_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_to_all = Home(tmp_path / "open")
    open_to_all.root.mkdir(mode=0o755)
    for home in (Home(tmp_path / "new" / "home"), open_to_all):
        await (await Store.open(home)).close()
        assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
        assert stat.S_IMODE(home.database.stat().st_mode) == 0o600


async def test_a_place_that_others_share_is_left_as_it_is_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = Home(tmp_path / "tmp")
    shared.root.mkdir()
    shared.root.chmod(0o1777)
    with caplog.at_level(logging.WARNING, "mlxr"):
        await (await Store.open(shared)).close()
    assert stat.S_IMODE(shared.root.stat().st_mode) == 0o1777
    assert "others may read" in caplog.text


@pytest.fixture
def read_only(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose disk takes no writes: as the system says, for a user whom permissions stop too."""
    for path in (home.root, *home.root.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    return home


async def test_a_read_only_catalogue_is_read_and_refuses_changes(read_only: Home) -> None:
    before = sorted(path.name for path in read_only.root.iterdir())
    store = await Store.open(read_only)
    assert sorted(entry.name for entry in await store.models()) == ["folder", "mine", "tiny"]
    for change in (store.delete("tiny"), store.copy("tiny", "other"), pull_model(read_only, "tiny", unheard, store)):
        with pytest.raises(ModelError, match="is read-only; set MLXR_HOME"):
            await change
    await store.close()
    assert sorted(path.name for path in read_only.root.iterdir()) == before


async def test_a_read_only_home_without_a_catalogue_or_with_an_old_or_damaged_one_shows_its_models(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    monkeypatch.setattr(tables, "INFO_VERSION", 999)
    garbage(home)
    assert "Tiny-Model-1B" in await names_in(home)
    lose(home)
    assert "Tiny-Model-1B" in await names_in(home)
    assert not list(home.root.glob("registry*"))


async def test_a_change_to_a_read_only_catalogue_from_elsewhere_is_noticed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    monkeypatch.setattr(paths, "SETTLED_SECONDS", 0)
    store = await Store.open(home)
    assert not await store.changed_elsewhere()
    changed("DELETE FROM models WHERE name = 'mine'")(home)
    assert await store.changed_elsewhere()
    assert sorted(entry.name for entry in await store.models()) == ["folder", "tiny"]
    await store.close()


async def test_a_server_serves_from_a_read_only_home(read_only: Home, tmp_path: Path) -> None:
    async with running(read_only.root, tmp_path / "run") as rig:
        await rig.until(lambda: rig.models() == ["mine", "folder", "tiny"])

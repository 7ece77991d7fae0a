from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiosqlite
import anyio
import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue import store as store_module
from mlxr.actors.registry.catalogue.entry import Blob, Overrides
from mlxr.actors.registry.catalogue.migrations import MIGRATIONS, m001_models
from mlxr.actors.registry.catalogue.store import Store
from mlxr.runtime.errors import ModelError, ModelNotFound, RequestError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under

INFO = ModelInfo(format="gguf", architecture="llama", parameters=24, capabilities=["completion"])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
async def store(home: Home) -> AsyncIterator[Store]:
    store = await Store.open(home)
    yield store
    await store.close()


def stored(home: Home, content: bytes) -> tuple[Blob, partial[None]]:
    """A model's file that waits to be placed."""
    path = files.partial(home) / "model"
    path.write_bytes(content)
    digest = files.hash_file(path)
    final = files.blob_path(home, digest)
    return Blob(digest, final, len(content), INFO), partial(files.place, home, path, final)


async def add(store: Store, home: Home, name: str, content: bytes = b"weights", **how: object) -> Blob:
    blob, place = stored(home, content)
    await store.add(name, blob, place=place, **how)  # type: ignore[arg-type]
    return blob


async def test_what_is_added_comes_back_whole(store: Store, home: Home) -> None:
    overrides = Overrides(system="be brief", options={"temperature": 0.5, "stop": ["x"]})
    blob = await add(store, home, "Org/Tiny:v1", source="pypi:tiny==1", aliases=["pypi:tiny==1"], overrides=overrides)
    (entry,) = await store.models()
    assert (entry.name, entry.blob, entry.source, entry.overrides) == (
        "Org/Tiny:v1",
        blob,
        "pypi:tiny==1",
        overrides,
    )
    assert entry.aliases == ["pypi:tiny==1"]
    assert blob.path.read_bytes() == b"weights"


@pytest.mark.parametrize("spelled", ["tiny", "TINY", "tiny:latest", "Tiny:LATEST", "pypi:tiny==1", "PYPI:tiny==1"])
async def test_a_model_is_found_by_any_spelling_of_its_names(store: Store, home: Home, spelled: str) -> None:
    await add(store, home, "Tiny", aliases=["pypi:tiny==1"])
    entry = await store.find(spelled)
    assert entry is not None
    assert entry.name == "Tiny"


async def test_an_unknown_name_says_what_to_do(store: Store) -> None:
    assert await store.find("nope") is None
    with pytest.raises(ModelNotFound, match=r"'nope'.*mlxr list.*mlxr pull"):
        await store.get("nope")


async def test_copies_share_their_file_and_the_last_name_takes_it_along(store: Store, home: Home) -> None:
    blob = await add(store, home, "one")
    await store.copy("ONE", "two")
    await store.delete("one")
    assert (await store.get("two")).blob.path.exists()
    await store.delete("two:latest")
    assert not blob.path.exists()
    assert files_under(home.models) == []


async def test_no_name_is_given_to_files_that_somebody_has_removed_meanwhile(store: Store, home: Home) -> None:
    blob = await add(store, home, "one")
    other = await Store.open(home)
    await other.delete("one")
    await other.close()
    with pytest.raises(ModelError, match=r"'two'.*removed meanwhile; try again"):
        await store.add("two", blob)
    assert await store.models() == []


async def test_a_name_given_anew_lets_the_old_file_go(store: Store, home: Home) -> None:
    old = await add(store, home, "one", b"old")
    new = await add(store, home, "ONE", b"new")
    assert [entry.blob for entry in await store.models()] == [new]
    assert not old.path.exists()


async def test_a_models_own_name_wins_over_anothers_alias(store: Store, home: Home) -> None:
    await add(store, home, "one", b"1", aliases=["two"])
    await add(store, home, "two", b"2")
    assert (await store.get("two")).name == "two"


async def test_local_files_are_never_deleted(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"mine")
    await store.add("mine", Blob(files.hash_file(path), path, 4, INFO))
    await store.delete("mine")
    assert path.exists()


async def test_a_bad_name_for_a_copy_is_refused(store: Store, home: Home) -> None:
    await add(store, home, "one")
    with pytest.raises(ValueError, match="no model name"):
        await store.copy("one", "two three")


async def test_a_change_that_fails_leaves_files_and_names_as_they_were(store: Store, home: Home) -> None:
    old = await add(store, home, "one", b"old")
    blob, _ = stored(home, b"new")

    def broken() -> None:
        raise RuntimeError("lost the file")

    with pytest.raises(RuntimeError, match="lost the file"):
        await store.add("one", blob, place=broken)
    assert (await store.get("one")).blob == old
    assert old.path.exists()


async def test_changes_by_another_process_are_noticed_and_own_ones_are_not(store: Store, home: Home) -> None:
    await add(store, home, "one")
    assert not await store.changed_elsewhere()
    other = await Store.open(home)
    await other.copy("one", "two")
    assert await store.changed_elsewhere()
    assert not await store.changed_elsewhere()
    assert [entry.name for entry in await store.models()] == ["two", "one"]
    await other.close()


async def test_only_uploads_go_once_they_are_old(store: Store, home: Home) -> None:
    kept = await add(store, home, "one")
    orphan, upload = files.blob_path(home, "0" * 64), files.upload_path(home, "1" * 64)
    upload.parent.mkdir()
    folder = files.folder_path(home, "2" * 64)
    folder.mkdir()
    for path in (orphan, upload):
        path.write_bytes(b"orphan")
    await store.prune(older_than=0)
    assert upload.exists()
    await store.prune(older_than=upload.stat().st_mtime + 10)
    assert not upload.exists()
    assert await store.orphans() == [folder, orphan]
    assert kept.path.exists()


async def test_a_file_whose_removal_was_killed_comes_back_where_that_was_not_decided(store: Store, home: Home) -> None:
    kept, other = await add(store, home, "kept"), await add(store, home, "other", b"other")
    files.set_aside(home, kept.path)
    await store.delete("other")
    hidden = files.partial(home) / f"gone-0123456789abcdef-{other.path.name}"
    hidden.write_bytes(b"other")
    await store.restore()
    assert kept.path.read_bytes() == b"weights"
    assert not other.path.exists()
    assert files_under(files.partial(home)) == []


async def test_files_that_no_name_stands_for_are_collected_and_no_others(store: Store, home: Home) -> None:
    kept = await add(store, home, "kept")
    orphan, folder = files.blob_path(home, "1" * 64), files.folder_path(home, "2" * 64)
    young, old = files.upload_path(home, "3" * 64), files.upload_path(home, "4" * 64)
    for path in (orphan, folder / "config.json", young, old):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"abc")
    os.utime(old, (0, 0))
    unused = await store.unused(60)
    assert {(file.path, file.size) for file in unused} == {(orphan, 3), (folder, 3), (old, 3)}
    assert await store.collect(60) == unused
    assert await store.unused(60) == []
    assert kept.path.exists()
    assert young.exists()


async def test_a_local_file_is_remembered_until_it_changes(store: Store) -> None:
    info = ModelInfo("gguf", "llama")
    await store.remember_file(Path("/x.gguf"), "10 5 1", "abc", info)
    assert await store.known_file(Path("/x.gguf"), "10 5 1") == ("abc", info)
    assert await store.known_file(Path("/x.gguf"), "10 6 1") is None
    await store.remember_file(Path("/x.gguf"), "10 6 1", "def", info)
    assert await store.known_file(Path("/x.gguf"), "10 6 1") == ("def", info)


async def test_a_catalogue_of_the_first_schema_is_brought_up_to_date_with_its_models(home: Home) -> None:
    home.root.mkdir(parents=True)
    async with aiosqlite.connect(home.database) as db:
        await m001_models(db)
        await db.execute(
            'INSERT INTO blobs VALUES (\'d\', \'/x.gguf\', 1, \'{"format":"gguf","architecture":"llama"}\', 1)'
        )
        await db.execute("INSERT INTO models VALUES ('old', 'old', 'd', '', 1.0, '{}')")
        await db.execute("PRAGMA user_version = 1")
        await db.commit()
    store = await Store.open(home)
    assert [entry.name for entry in await store.models()] == ["old"]
    await store.remember_file(Path("/x.gguf"), "1 1 1", "d", ModelInfo("gguf", "llama"))
    await store.close()


async def test_many_may_be_the_first_to_open_a_catalogue(tmp_path: Path) -> None:
    async def open_and_close(home: Home) -> None:
        await (await Store.open(home)).close()

    for number in range(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(open_and_close, Home(tmp_path / str(number)))


async def test_a_newer_catalogue_is_left_alone(home: Home) -> None:
    home.root.mkdir(parents=True)
    async with aiosqlite.connect(home.database) as db:
        await db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(ModelError, match=r"newer mlxr.*MLXR_HOME"):
        await Store.open(home)


async def test_info_read_by_an_older_mlxr_are_listed_for_refreshing(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await add(store, home, "one")
    assert await store.stale() == []
    monkeypatch.setattr("mlxr.actors.registry.catalogue.tables.INFO_VERSION", 99)
    assert [entry.name for entry in await store.stale()] == ["one"]
    await store.refresh(blob.digest, ModelInfo(format="gguf", architecture="gemma3"))
    assert await store.stale() == []
    assert (await store.get("one")).blob.info.architecture == "gemma3"


async def test_the_texts_laid_over_files_are_bounded_together(store: Store, home: Home) -> None:
    blob = await add(store, home, "base")
    large = Overrides(system="a" * (1 << 20))
    for number in range(31):
        await store.add(f"m{number}", blob, overrides=large)
    with pytest.raises(RequestError, match=r"can't take .*32 MiB of texts; remove some"):
        await store.add("more", blob, overrides=large)
    with pytest.raises(RequestError, match="can't take"):
        await store.copy("m0", "copy")
    assert len(await store.models()) == 32
    # In place of another there is room, and once one is gone.
    await store.add("m0", blob, overrides=large)
    await store.delete("m1")
    await store.copy("m0", "copy")


async def test_files_of_a_model_that_has_no_room_are_not_placed(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_MODELS", 2)
    for name in ("one", "two"):
        await add(store, home, name, name.encode())
    with pytest.raises(RequestError, match="can't take 'three': it may have 2 models"):
        await add(store, home, "three", b"three")
    assert len(files_under(home.models / "blobs")) == 2


async def test_files_are_known_by_what_is_in_them_when_they_are_touched_or_copied(store: Store, home: Home) -> None:
    blob = await add(store, home, "m", b"GGUF and weights")
    assert await store.content_of(blob) == blob.digest
    os.utime(blob.path, (1, 1))
    assert await store.content_of(blob) == blob.digest
    copy = blob.path.with_name("copy")
    copy.write_bytes(blob.path.read_bytes())
    copy.replace(blob.path)
    assert await store.content_of(blob) == blob.digest


async def test_files_that_were_written_to_are_not_taken_for_what_they_were(store: Store, home: Home) -> None:
    blob = await add(store, home, "m", b"GGUF and weights")
    blob.path.chmod(0o600)
    blob.path.write_bytes(b"GGUF and WEIGHTS")
    assert await store.content_of(blob) not in ("", blob.digest)
    await add(store, home, "again", b"GGUF and weights")
    assert await store.content_of(blob) == blob.digest


async def test_of_files_that_nobody_has_read_here_nothing_is_known(store: Store, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    assert await store.content_of(Blob("ab" * 32, path, 4, INFO)) == ""
    assert await store.content_of(Blob("ab" * 32, tmp_path / "none.gguf", 4, INFO)) == ""

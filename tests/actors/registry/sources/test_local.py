from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.metadata.show import show
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.transfer.partial_file import PartialFile
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.errors import UnusableModelError
from mlxr.models.loading import load_model
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import (
    files_under,
    safetensors,
    tiny_bert,
    tiny_gguf,
    unheard,
)


def model_folder(folder: Path) -> Path:
    """A folder that holds a model."""
    folder.mkdir()
    for name, content in tiny_bert().items():
        (folder / name).write_bytes(content)
    return folder


def parts_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.gguf"))


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


async def test_a_local_file_is_copied_under_its_own_name(home: Home, model: bytes, tmp_path: Path) -> None:
    entry = await pull_model(home, str(tmp_path / "source.gguf"), unheard)
    assert (entry.name, entry.blob.path.read_bytes()) == ("source", model)
    assert (tmp_path / "source.gguf").exists()
    with pytest.raises(ModelNotFound, match=r"/missing\.gguf"):
        await pull_model(home, str(tmp_path / "missing.gguf"), unheard)
    assert stat.S_IMODE(entry.blob.path.stat().st_mode) == 0o600


async def test_a_folder_is_called_by_its_name_however_it_is_spelled(home: Home, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / "within").mkdir()
    assert (await pull_model(home, str(folder / "within" / ".."), unheard)).name == "mine"


async def test_a_local_folder_is_looked_at_before_it_is_copied(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PartialFile, "write", lambda *_: pytest.fail("copied"))
    for name, config in (
        ("no-config", None),
        ("no-type", b"{}"),
        ("no-json", b"{"),
        ("no-weights", b'{"model_type": 5}'),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(safetensors() if name != "no-weights" else b"\xff" * 16)
        if config is not None:
            (folder / "config.json").write_bytes(config)
        with pytest.raises(ModelNotFound, match="no model can be read at"):
            await pull_model(home, str(folder), unheard)
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03")
    with pytest.raises(UnusableModelError, match=r"bad\.gguf.*byte"):
        await pull_model(home, str(tmp_path / "bad.gguf"), unheard)
    assert files_under(home.models) == []


async def test_a_local_folder_larger_than_the_disk_is_refused_before_it_is_copied(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(tmp_path / "m")
    monkeypatch.setattr(PartialFile, "write", lambda *_: pytest.fail("copied"))
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(free=10_000_000))
    with pytest.raises(files.OutOfSpace, match="needed"):
        await pull_model(home, str(folder), unheard)


async def test_a_pulled_folder_is_its_owners_alone_and_links_within_it_are_followed(home: Home, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / "sub").mkdir()
    (folder / "sub" / "vocab.txt").write_bytes(b"a")
    (folder / "vocab.txt").symlink_to("sub/vocab.txt")
    entry = await pull_model(home, str(folder), unheard)
    found = {path.relative_to(entry.blob.path).as_posix(): path for path in entry.blob.path.rglob("*")}
    assert set(found) == {*tiny_bert(), "vocab.txt", "sub", "sub/vocab.txt"}
    assert {stat.S_IMODE(path.lstat().st_mode) for path in found.values()} == {0o600, 0o700}
    assert not found["vocab.txt"].is_symlink()


async def test_a_file_that_changes_while_it_is_copied_is_not_kept(home: Home, model: bytes, tmp_path: Path) -> None:
    def change(progress: Progress) -> None:
        if progress.total:
            os.utime(tmp_path / "source.gguf", ns=(0, 0))

    with pytest.raises(PullError, match="changed while it was copied"):
        await pull_model(home, str(tmp_path / "source.gguf"), change)
    assert files_under(home.models) == []


@pytest.mark.parametrize("named", ["tiny-00001-of-00004.gguf", "tiny-00003-of-00004.gguf", ""])
async def test_a_model_in_several_files_is_pulled_as_one_by_any_of_them(home: Home, tmp_path: Path, named: str) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    tiny_gguf(folder / "tiny.gguf", split=3)
    (folder / "README.md").write_text("no part of it")
    entry = await pull_model(home, str(folder / named), unheard)
    assert entry.name == ("tiny" if named else "split")
    assert (entry.info.format, entry.info.parameters) == ("gguf", 24 + 4 + 2 * 4 + 7 * 16)
    assert sorted(path.name for path in entry.blob.path.iterdir()) == [
        f"tiny-0000{number}-of-00004.gguf" for number in (1, 2, 3, 4)
    ]
    assert load_model(entry.blob.path, ReferenceBackend()).vocab_size == 6
    assert show(entry, verbose=True)["model_info"]["general.name"] == "tiny"


async def test_a_copy_tells_how_far_it_is(home: Home, model: bytes, tmp_path: Path) -> None:
    heard = list[Progress]()
    await pull_model(home, str(tmp_path / "source.gguf"), heard.append)
    assert [progress for progress in heard if progress.total][-1].completed == len(model)


async def test_a_model_in_several_files_is_served_from_where_it_lies(home: Home, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf", split=3)
    store = await Store.open(home)
    try:
        resolver = Resolver(store, MetadataReader())
        first, third = [await resolver.find(str(tmp_path / f"tiny-0000{number}-of-00004.gguf")) for number in (1, 3)]
        assert first.blob.digest == third.blob.digest
        assert first.blob.size == sum(path.stat().st_size for path in parts_in(tmp_path))
        (tmp_path / "tiny-00002-of-00004.gguf").unlink()
        with pytest.raises(UnusableModelError, match=r"part 2, 'tiny-00002-of-00004\.gguf', is missing"):
            await resolver.find(str(tmp_path / "tiny-00001-of-00004.gguf"))
    finally:
        await store.close()


async def test_parts_that_are_links_out_of_the_folder_are_not_followed(home: Home, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf", split=3)
    folder = tmp_path / "folder"
    folder.mkdir()
    for part in parts_in(tmp_path):
        (folder / part.name).symlink_to(part)
    with pytest.raises(ModelNotFound, match="no model can be read at"):
        await pull_model(home, str(folder), unheard)

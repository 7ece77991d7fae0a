"""Local files by their paths."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(Home(tmp_path / "home"))
    yield store
    await store.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_gguf(tmp_path / "local.gguf", "local")
    return tmp_path / "local.gguf"


async def find(store: Store, path: Path) -> CatalogueEntry:
    """As a server that has just started."""
    return await Resolver(store, MetadataReader()).find(str(path))


async def test_an_unchanged_file_is_read_once(store: Store, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await find(store, model)
    assert first.blob.digest == files.hash_file(model)
    monkeypatch.setattr(files, "digest_of", lambda path: pytest.fail("hashed again"))
    monkeypatch.setattr(MetadataReader, "info", lambda self, path: pytest.fail("read again"))
    assert await find(store, model) == first


def replace(path: Path, name: str) -> None:
    """Put another file there, of the same size and age."""
    other, status = path.with_suffix(".new"), path.stat()
    tiny_gguf(other, name)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert other.stat().st_size == status.st_size
    other.replace(path)


async def test_another_file_in_its_place_is_read_though_it_has_the_same_size_and_time(
    store: Store, model: Path
) -> None:
    first = await find(store, model)
    replace(model, "lacol")
    assert (await find(store, model)).blob.digest != first.blob.digest

"""What a load will need is what its executor asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from mlxr.actors.executor.settings import ExecutorSection, ExecutorSettings
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.fit.load_needs import LoadNeed, LoadNeeds
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import read_footprint
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home
from tests.models.files import Sizes, write_model


def entry_of(path: Path) -> CatalogueEntry:
    info = ModelInfo(format="gguf", architecture="llama")
    return CatalogueEntry("m", Blob("0" * 64, path, path.stat().st_size if path.exists() else 7, info), 0.0, "")


@pytest.fixture
def entry(tmp_path: Path) -> CatalogueEntry:
    return entry_of(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(context=65_536)))


async def test_a_context_that_is_set_counts(home: Home, entry: CatalogueEntry) -> None:
    reader = MetadataReader()
    weights = read_footprint(entry.blob.path, CpuSizes()).weights
    plain = await LoadNeeds(home, reader, ExecutorSettings("")).of(entry, "1")
    wished = ExecutorSettings("", executor=ExecutorSection(context_length=65_536))
    long = await LoadNeeds(home, reader, wished).of(entry, "1")
    assert weights < plain.nbytes < long.nbytes
    token = 2 * 2 * 2 * 64 * 2
    assert long.nbytes - plain.nbytes == pytest.approx(65_536 * token, rel=0.2)
    assert long.explain is not None
    said = long.explain(long.nbytes - 1)
    assert "for a context of 65536 tokens" in said
    assert "--set executor.context_length=" in said


async def test_files_are_looked_at_once_for_each_of_their_states(home: Home, entry: CatalogueEntry) -> None:
    needs = LoadNeeds(home, MetadataReader(), ExecutorSettings(""))
    first = await needs.of(entry, "1")
    gone = structs.replace(entry, blob=entry_of(Path("/nowhere/at/all.gguf")).blob)
    assert await needs.of(entry, "1") == first
    assert await needs.of(gone, "1") == LoadNeed(7)

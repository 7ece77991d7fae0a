"""What a load will need is what its executor asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Raw, structs

from mlxr.actors.executor.draft_sizes import draft_bytes, head_bytes
from mlxr.actors.executor.settings import ExecutorSection, ExecutorSettings
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.fit import needs_file
from mlxr.actors.registry.fit.estimates import DraftCost
from mlxr.actors.registry.fit.load_needs import LoadNeed, LoadNeeds
from mlxr.actors.registry.fit.needs_file import KeptNeed, NeedsFile
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.machine import Machine
from mlxr.metal.tensors import TensorType
from mlxr.models.footprint import Footprint
from mlxr.models.loading import read_footprint
from mlxr.runtime.engine_spec import DraftFiles
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home
from tests.models.architectures import checkpoints_hybrid
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


class CannotRead(MetadataReader):
    async def footprint(self, path: Path, machine: Machine) -> Footprint:
        raise AssertionError(f"{path} is read again")


async def test_what_a_load_needs_is_worked_out_once_on_a_machine(home: Home, entry: CatalogueEntry) -> None:
    settings = ExecutorSettings("", executor=ExecutorSection(context_length=65_536))
    first = await LoadNeeds(home, MetadataReader(), settings).of(entry, "1")
    later = LoadNeeds(home, CannotRead(), settings)
    kept = await later.of(entry, "1")
    assert (kept.nbytes, kept.optional) == (first.nbytes, first.optional)
    assert first.explain is not None
    assert kept.explain is not None
    assert kept.explain(first.nbytes - 1) == first.explain(first.nbytes - 1)
    with pytest.raises(AssertionError, match="read again"):
        await later.of(entry, "2")
    home.machine.write_text("{}")  # somebody has measured it
    with pytest.raises(AssertionError, match="read again"):
        await LoadNeeds(home, CannotRead(), settings).of(entry, "1")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": {}}'])
async def test_a_damaged_file_of_needs_is_as_good_as_none(home: Home, entry: CatalogueEntry, content: bytes) -> None:
    home.root.mkdir(parents=True)
    home.needs.write_bytes(content)
    needs = [
        await LoadNeeds(home, reader, ExecutorSettings("")).of(entry, "1")
        for reader in (MetadataReader(), CannotRead())
    ]
    assert needs[0].nbytes == needs[1].nbytes > entry.blob.size


def test_needs_of_the_models_that_were_loaded_last_are_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs_file, "MOST_KEPT", 3)
    file, needs = NeedsFile(home, ExecutorSettings("")), KeptNeed(1, 0, 0, Raw(b"{}"))
    for key in "abcd":
        file.keep(key, needs)
    assert [key for key in "abcd" if file.find(key)] == ["b", "c", "d"]


async def test_a_draft_model_counts(home: Home, entry: CatalogueEntry, tmp_path: Path) -> None:
    needs, draft = LoadNeeds(home, MetadataReader(), ExecutorSettings("")), tmp_path / "draft.gguf"
    small = Sizes(layers=1, width=64, hidden=64, heads=1, kv_heads=1)
    write_model(draft, "llama", TensorType.Q8_0, small)
    alone, together = await needs.of(entry, "1"), await needs.of(entry, "1", [DraftFiles("draft", str(draft))])
    footprint = read_footprint(draft, CpuSizes())
    assert together.nbytes - alone.nbytes == draft_bytes(footprint, 32, CpuSizes()) > footprint.weights


async def test_a_draft_model_counts_as_far_as_somebody_wants_it(
    home: Home, entry: CatalogueEntry, tmp_path: Path
) -> None:
    """One that all models may have is what the load can go without; one that nobody named makes nobody go."""
    draft = str(write_model(tmp_path / "draft.gguf", "llama", TensorType.Q8_0, Sizes(layers=1)))
    needs = LoadNeeds(home, MetadataReader(), ExecutorSettings(""))
    alone = await needs.of(entry, "1")
    required = await needs.of(entry, "1", [DraftFiles("draft", draft)])
    for_all = await needs.of(entry, "1", [DraftFiles("draft", draft, required=False)])
    found = await needs.of(entry, "1", [DraftFiles("draft", draft, named=False, required=False)])
    assert (alone.optional, required.optional, found.optional) == (0, 0, 0)
    assert for_all.nbytes - for_all.optional == alone.nbytes == found.nbytes < required.nbytes == for_all.nbytes
    assert for_all.explain is not None
    assert alone.explain is not None
    assert for_all.explain(1_000) == alone.explain(1_000)


async def test_a_head_of_its_own_that_drafts_counts_where_it_is_wanted(home: Home, tmp_path: Path) -> None:
    config = checkpoints_hybrid.config_of("qwen3_5")
    entry = entry_of(checkpoints_hybrid.write_gguf(tmp_path / "m.gguf", config, drafting=True))
    plain, drafting = [
        await LoadNeeds(home, MetadataReader(), ExecutorSettings("", mtp=mtp)).of(entry, "1") for mtp in (False, True)
    ]
    assert drafting.optional == drafting.nbytes - plain.nbytes
    assert drafting.optional == head_bytes(read_footprint(entry.blob.path, CpuSizes()), 32, CpuSizes()) > 0


async def test_what_a_draft_model_costs_is_told_unless_there_is_none_of_its_name(
    home: Home, entry: CatalogueEntry, tmp_path: Path
) -> None:
    small = entry_of(write_model(tmp_path / "small.gguf", "llama", TensorType.Q8_0, Sizes(layers=1)))

    async def find(name: str) -> CatalogueEntry:
        if name != "small":
            raise ModelNotFound(f"there is no model {name!r}")
        return small

    needs = LoadNeeds(home, MetadataReader(), ExecutorSettings(""))
    able = structs.replace(entry.blob.info, capabilities=["completion"])
    asked = structs.replace(entry, blob=structs.replace(entry.blob, info=able))
    costs = [await DraftCost(needs, DraftModels(name, find, list)).of(asked) for name in ("small", "gone", "")]
    assert costs == [draft_bytes(read_footprint(small.blob.path, CpuSizes()), 32, CpuSizes()), 0, 0]

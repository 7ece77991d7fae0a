"""Which models may draft for one that is to be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.messages.registry import EngineUp
from mlxr.runtime.model_info import ModelInfo

pytestmark = pytest.mark.anyio
INFO = ModelInfo("gguf", "llama", capabilities=["completion"])


def model(folder: Path, name: str, size: int) -> EngineSpec:
    path = folder / name
    path.write_bytes(bytes(size))
    return EngineSpec(name, name, str(path), INFO)


def running(spec: EngineSpec) -> Engine:
    return Engine("e", spec, 0.0, 0.0, started=True, up=EngineUp("e", 1, 1, "cpu"), tokenizer=True)


@pytest.fixture
def large(tmp_path: Path) -> EngineSpec:
    return model(tmp_path, "large", 9_000)


async def names(drafts: DraftModels, spec: EngineSpec) -> list[str]:
    return [files.name for files in await drafts.of(spec, 9_000)]


def found(folder: Path, configured: str | None, *engines: EngineSpec) -> DraftModels:
    async def find(name: str) -> CatalogueEntry:
        if not (folder / name).exists():
            raise ModelNotFound(f"there is no model {name!r}")
        return CatalogueEntry(name, Blob(name, folder / name, 1, INFO), 0.0)

    return DraftModels(configured, find, lambda: [running(spec) for spec in engines])


async def test_a_model_of_its_own_comes_before_the_configured_one(tmp_path: Path, large: EngineSpec) -> None:
    model(tmp_path, "one", 10)
    model(tmp_path, "other", 10)
    drafts = found(tmp_path, "one")
    assert await names(drafts, large) == ["one"]
    assert await names(drafts, structs.replace(large, draft_model="other")) == ["other"]
    assert await names(drafts, structs.replace(large, draft_model="none")) == []


async def test_only_one_that_the_model_itself_names_is_required(tmp_path: Path, large: EngineSpec) -> None:
    model(tmp_path, "one", 10)
    drafts = found(tmp_path, "one")
    specs = large, structs.replace(large, draft_model="one")
    assert [[each.required for each in await drafts.of(spec, 9_000)] for spec in specs] == [[False], [True]]


async def test_the_one_that_drafts_for_all_does_not_draft_for_itself(tmp_path: Path, large: EngineSpec) -> None:
    assert await names(found(tmp_path, "large"), large) == []


@pytest.mark.parametrize("configured", [None, "", "none"])
async def test_there_is_none_where_none_is_wanted(tmp_path: Path, large: EngineSpec, configured: str | None) -> None:
    assert await names(found(tmp_path, configured, model(tmp_path, "small", 10)), large) == []


async def test_loaded_models_that_are_small_beside_it_are_found_the_smallest_first(
    tmp_path: Path, large: EngineSpec
) -> None:
    engines = [model(tmp_path, name, size) for name, size in (("half", 4_500), ("third", 3_000), ("small", 100))]
    assert await names(found(tmp_path, "auto", large, *engines), large) == ["small", "third"]


async def test_where_speculation_is_off_a_model_of_its_own_is_not_loaded(tmp_path: Path, large: EngineSpec) -> None:
    model(tmp_path, "one", 10)
    assert await names(found(tmp_path, None), structs.replace(large, draft_model="one")) == []


async def test_a_name_that_is_none_is_refused_by_whose_draft_model_it_is(tmp_path: Path, large: EngineSpec) -> None:
    with pytest.raises(ModelNotFound, match="the draft model of large: there is no model 'gone'"):
        await names(found(tmp_path, "one"), structs.replace(large, draft_model="gone"))


async def test_of_the_one_for_all_models_it_is_said_that_it_is_missing(tmp_path: Path, large: EngineSpec) -> None:
    (files,) = await found(tmp_path, "gone").of(large, 9_000)
    assert files.missing == "speculation.draft_model can't be had: there is no model 'gone'"
    assert not files.required

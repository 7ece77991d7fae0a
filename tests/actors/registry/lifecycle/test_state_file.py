"""A restarted registry's engines, as the file says that is kept of them."""

from __future__ import annotations

from pathlib import Path

from mlxr.actors.registry.lifecycle.policy import FIRST_USE_SECONDS, EnginePolicy
from mlxr.actors.registry.lifecycle.state_file import EngineStateFile
from mlxr.runtime.messages.supervisor import StopEngine
from tests.actors.registry.lifecycle.policies import come_up, serve, settle, spec, states


def test_a_restarted_registry_goes_on_with_the_engines_that_run(tmp_path: Path) -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0, keep_alive=60)
    loading = policy.ensure(spec("b"), None, 0)
    settle(policy, 0)
    EngineStateFile(tmp_path).write(policy.engines.running())

    later = EnginePolicy(2, 300)
    later.adopt(EngineStateFile(tmp_path).read(1000))
    assert states(later) == {"a": "ready", "b": "loading"}
    assert later.ensure(spec("a"), 60, 1000).name == engine.name
    assert settle(later, 1000) == []
    assert later.ensure(spec("c"), None, 1000).name not in (engine.name, loading.name)
    come_up(later, later.engines.running()[1])
    assert settle(later, 1060 + FIRST_USE_SECONDS)[0] == StopEngine(engine.name)


def test_without_a_file_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert EngineStateFile(tmp_path).read(0) == []

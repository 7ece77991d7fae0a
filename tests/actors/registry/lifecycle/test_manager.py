"""What is carried out around the policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.lifecycle.manager import EngineManager
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.runtime.messages.registry import TouchModel
from mlxr.runtime.pacing import loads_run
from tests.actors.registry.lifecycle.policies import loaded


def test_streams_leave_a_cpu_to_a_load_before_it_has_an_engine(tmp_path: Path) -> None:
    policy = EnginePolicy(3, 300)
    engines = EngineManager(policy, tmp_path, lambda action: None, lambda running: None)
    streaming = loaded(policy, "streaming", 1, 0)
    with engines.preparing():
        assert not loads_run(tmp_path)
    engines.touch(TouchModel("streaming", 1, None, streaming.name))
    with engines.preparing():
        assert loads_run(tmp_path)
        with engines.preparing():
            assert loads_run(tmp_path)
    engines.settle()
    assert not loads_run(tmp_path)


def test_streams_get_their_cpu_back_at_once_where_a_load_fails_before_it_has_an_engine(tmp_path: Path) -> None:
    policy = EnginePolicy(3, 300)
    engines = EngineManager(policy, tmp_path, lambda action: None, lambda running: None)
    streaming = loaded(policy, "streaming", 1, 0)
    engines.touch(TouchModel("streaming", 1, None, streaming.name))
    with pytest.raises(OSError, match="no such file"), engines.preparing():
        raise OSError("no such file")
    assert not loads_run(tmp_path)

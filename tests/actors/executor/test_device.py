"""A step that breaks costs its rows alone; a device that is lost costs the process, and no request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.model_runner import DeviceLostError, require_device
from mlxr.runtime.messages.executor import GroupSize, Step
from mlxr.runtime.messages.registry import DrafterFailed
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind, DrafterLost, StepFailed


class Runner:
    """One whose every step breaks."""

    cleared = False

    def launch(self, step: Step, wait_ns: int) -> Any:
        raise RuntimeError("an illegal memory access was encountered")

    def clear(self) -> None:
        self.cleared = True


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def device(told: list[Any]) -> DeviceThread:
    thread = DeviceThread(SimpleNamespace(engine="tiny", epoch=3), SimpleNamespace())  # type: ignore[arg-type]
    thread._sender = SimpleNamespace(tell=lambda _, message: told.append(message))  # type: ignore[assignment]
    return thread


def test_a_step_that_breaks_is_told_and_the_next_starts_from_a_clean_pool(
    device: DeviceThread, told: list[Any]
) -> None:
    runner = Runner()
    assert device._advance(runner, Step(3, 7, []), 0, None) is None  # type: ignore[arg-type]
    (failed,) = told
    assert isinstance(failed, StepFailed)
    assert "illegal memory access" in failed.reason
    assert runner.cleared


class Busy(Runner):
    """One whose steps run. ``rested``: whether its device rested meanwhile."""

    def __init__(self, device: DeviceThread) -> None:
        self.device = device
        self.rested: list[bool] = []

    def launch(self, step: Step, wait_ns: int) -> Any:
        return SimpleNamespace(step=step)

    def sample(self, launched: Any) -> None:
        self.rested.append(self.device._rests())

    def finish(self, launched: Any) -> Any:
        self.rested.append(self.device._rests())


def test_a_device_rests_behind_a_step_and_not_while_one_runs_however_long(
    device: DeviceThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlxr.actors.executor.device.REST_SECONDS", -1.0)
    runner = Busy(device)
    running = device._advance(runner, Step(3, 7, []), 0, None)  # type: ignore[arg-type]
    assert not device._rests()
    device._advance(runner, None, 0, running)  # type: ignore[arg-type]
    assert runner.rested == [False, False]
    assert device._rests()
    device._advance(Runner(), Step(3, 8, []), 0, None)  # type: ignore[arg-type]
    assert device._rests()


def test_only_where_a_pool_shrinks_nobody_goes_on_touching_its_pages(device: DeviceThread) -> None:
    cleared: list[bool] = []
    device._toucher = SimpleNamespace(clear=lambda: cleared.append(True))  # type: ignore[assignment]
    for pages, expected in ((50, []), (60, []), (49, [True])):
        device._keep_from_touching(Step(3, -1, [], sizes=[GroupSize(pages, 100)]), [50])
        assert cleared == expected


def test_without_a_device_no_request_fails_but_the_process_ends(
    device: DeviceThread, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> mx.array:
        raise RuntimeError("cudaLaunchKernel failed: an illegal memory access was encountered")

    monkeypatch.setattr(mx, "ones", lost)
    with pytest.raises(DeviceLostError, match="does not answer any more"):
        device._advance(Runner(), Step(3, 7, []), 0, None)  # type: ignore[arg-type]
    assert told == []


def test_a_device_that_adds_wrong_is_as_lost_as_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    require_device()
    ones = mx.ones
    monkeypatch.setattr(mx, "ones", lambda count: ones(count) * 3)
    with pytest.raises(DeviceLostError):
        require_device()


def test_that_drafts_fail_is_told_to_who_shows_it_and_to_who_asks_for_them(
    device: DeviceThread, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    device._memory_changed = lambda: None  # type: ignore[method-assign]
    device._weights, device._draft_bytes = 100, 30
    device._drafter_failed("no memory")
    assert told == [DrafterFailed("tiny", "no memory"), DrafterLost(3)]
    assert device._weights == 70
    assert "tiny goes without a draft model: no memory" in caplog.text


def test_that_a_draft_model_is_left_out_is_told_where_nothing_else_drafts(device: DeviceThread) -> None:
    device._settings.own_process = False
    device._goes_without("it has another vocabulary")
    backend: Any = SimpleNamespace(name="cpu", memory=lambda: None)
    drafters = (None, DrafterInfo(DrafterKind.MTP, 0.1))
    told = [device._up(64, backend, "", drafter) for drafter in drafters]
    assert [(up.drafter, up.undrafted) for up in told] == [("", "it has another vocabulary"), ("mtp", "")]

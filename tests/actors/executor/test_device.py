"""A step that breaks costs its rows alone; a device that is lost costs the process, and no request."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

from mlxr.actors.executor.device import GRACE_SECONDS, DeviceThread
from mlxr.actors.executor.device_faults import DeviceLostError, require_device
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.scheduler import StepFailed
from mlxr.runtime.pacing import LOADING


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
    thread._reports._sender = SimpleNamespace(tell=lambda _, message: told.append(message))  # type: ignore[assignment]
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


@pytest.mark.parametrize("awaited", [False, True])
def test_no_plan_is_waited_for_where_none_can_come_before_the_running_steps_answer(
    device: DeviceThread, awaited: bool
) -> None:
    waited: list[float | None] = []
    inbox: Any = SimpleNamespace(receive=waited.append)
    running: Any = SimpleNamespace(step=Step(3, 7, [], awaited=awaited))
    assert device._next(inbox, running) == (None, 0)
    assert waited == [0 if awaited else GRACE_SECONDS]


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


def test_steps_beside_a_load_leave_a_cpu_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Any = SimpleNamespace(engine="tiny", epoch=0, run_directory=tmp_path)
    device = DeviceThread(context, SimpleNamespace())  # type: ignore[arg-type]
    shared: list[bool] = []
    device._backend = SimpleNamespace(share_cpus=shared.append)  # type: ignore[assignment]
    nothing = dict.fromkeys(("resize", "reach", "copy"), lambda *_: None)
    device._pages = SimpleNamespace(**nothing, copying=False)  # type: ignore[assignment]
    monkeypatch.setattr(device, "_advance", lambda *_: None)
    marks = [lambda: None, (tmp_path / LOADING).touch, (tmp_path / LOADING).unlink]

    def receive(timeout: float | None) -> Step:
        step = len(shared)
        marks[step]()
        if step == 2:
            device._stopping.set()
        return Step(0, step, [])

    device._serve(SimpleNamespace(receive=receive), SimpleNamespace(pages=[]), SimpleNamespace())  # type: ignore[arg-type]
    assert shared == [False, True, False]

"""A step that breaks costs its rows alone; a device that is lost costs the process, and no request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.draft_sizes import draft_bytes, head_bytes
from mlxr.actors.executor.drafting.loading import ChosenDraft, NoDraftModel
from mlxr.actors.executor.memory_need import DoesNotFit, memory_need
from mlxr.actors.executor.model_runner import DeviceLostError, require_device
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.models.footprint import Footprint
from mlxr.models.loading import LoadedModel, read_footprint
from mlxr.runtime.engine_spec import DraftFiles
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.registry import DrafterFailed
from mlxr.runtime.messages.scheduler import DrafterLost, StepFailed
from tests.models.architectures import checkpoints_hybrid


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


Load = Callable[[int, bool | None], tuple[LoadedModel, ChosenDraft | None]]
"""With so many bytes beside the model, and a draft model that is required, or not; None for none."""


@pytest.fixture
def with_head(tmp_path: Path) -> tuple[Footprint, Load]:
    """A model with a head of its own that drafts, and what loads it."""
    backend = CpuBackend(1)
    path = checkpoints_hybrid.write_gguf(tmp_path / "m.gguf", checkpoints_hybrid.config_of("qwen3_5"), drafting=True)
    footprint = read_footprint(path, backend.sizes)

    def load(beside: int, required: bool | None) -> tuple[LoadedModel, ChosenDraft | None]:
        settings = ExecutorSettings(str(path), mtp=True)
        typed = footprint.typed(settings.kv.page_type)
        sizes = settings.pool_sizes(footprint.context_length, 0, backend.step_tokens)
        needed = memory_need(typed, sizes, backend.sizes, 0, 0).needed
        thread = DeviceThread(
            SimpleNamespace(engine="tiny", epoch=0),  # type: ignore[arg-type]
            ExecutorSettings(str(path), mtp=True, memory_bytes=needed + beside),
        )
        if required is not None:
            files = DraftFiles("small", str(path), required=required)
            chosen = ChosenDraft(files, footprint, draft_bytes(footprint, 32, backend.sizes))
            thread._chosen_draft = lambda *_: chosen  # type: ignore[method-assign]
        return thread._load_model(path, backend, lambda stage, fraction: None)

    return footprint, load


def test_a_model_that_fits_only_without_its_own_head_goes_without(
    with_head: tuple[Footprint, Load], caplog: pytest.LogCaptureFixture
) -> None:
    footprint, load = with_head
    takes = head_bytes(footprint, 32, CpuBackend(1).sizes)
    assert load(takes, None)[0].drafting_head is not None
    assert "goes without" not in caplog.text
    assert load(takes - 1, None)[0].drafting_head is None
    assert "tiny goes without a draft model: there is no room for its own head that drafts" in caplog.text


def test_a_model_goes_without_a_draft_model_that_has_no_room_unless_its_own_parameters_name_it(
    with_head: tuple[Footprint, Load], caplog: pytest.LogCaptureFixture
) -> None:
    footprint, load = with_head
    takes = draft_bytes(footprint, 32, CpuBackend(1).sizes)
    for required in (False, True):
        model, draft = load(takes, required)
        assert draft is not None
        assert model.drafting_head is None
    assert load(takes - 1, False)[1] is None
    assert "tiny goes without a draft model: there is no room for its draft model small" in caplog.text
    with pytest.raises(DoesNotFit, match=r"its draft model small takes .* PARAMETER draft_model"):
        load(takes - 1, True)


def test_an_executor_that_comes_back_goes_on_without_a_draft_model_that_was_deleted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ExecutorSettings("m", drafts=[DraftFiles("small", str(tmp_path / "gone.gguf"))])

    def chosen(epoch: int) -> ChosenDraft | None:
        context: Any = SimpleNamespace(engine="tiny", epoch=epoch)
        return DeviceThread(context, settings)._chosen_draft(tmp_path / "m.gguf", CpuBackend(1))

    with pytest.raises(NoDraftModel, match="small"):
        chosen(0)
    assert chosen(1) is None
    assert "tiny goes without a draft model: the draft model small" in caplog.text


def test_that_drafts_fail_is_told_to_who_shows_it_and_to_who_asks_for_them(
    device: DeviceThread, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    device._memory_changed = lambda: None  # type: ignore[method-assign]
    device._weights, device._draft_bytes = 100, 30
    device._drafter_failed("no memory")
    assert told == [DrafterFailed("tiny", "no memory"), DrafterLost(3)]
    assert device._weights == 70
    assert "tiny goes without a draft model: no memory" in caplog.text

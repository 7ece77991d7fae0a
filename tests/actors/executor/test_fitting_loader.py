"""A model and what drafts for it, as far as there is room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlxr.actors.executor import memory_budget
from mlxr.actors.executor.draft_sizes import draft_bytes, head_bytes
from mlxr.actors.executor.drafting.loading import ChosenDraft, NoDraftModel
from mlxr.actors.executor.fitting_loader import FittingLoader
from mlxr.actors.executor.memory_need import DoesNotFit, memory_need
from mlxr.actors.executor.pool_files import file
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.models.footprint import Footprint
from mlxr.models.loading import LoadedModel, read_footprint
from mlxr.runtime.engine_spec import DraftFiles
from tests.models.architectures import checkpoints_hybrid

Load = Callable[[int, bool | None], tuple[LoadedModel, ChosenDraft | None]]
"""With so many bytes beside the model, and a draft model that is required, or not; None for none."""


@pytest.fixture
def said() -> list[str]:
    """Why models went without what drafts."""
    return []


@pytest.fixture
def with_head(tmp_path: Path, said: list[str]) -> tuple[Footprint, Load]:
    """A model with a head of its own that drafts, and what loads it."""
    backend = CpuBackend(1)
    path = checkpoints_hybrid.write_gguf(tmp_path / "m.gguf", checkpoints_hybrid.config_of("qwen3_5"), drafting=True)
    footprint = read_footprint(path, backend.sizes)

    def load(beside: int, required: bool | None) -> tuple[LoadedModel, ChosenDraft | None]:
        settings = ExecutorSettings(str(path), mtp=True)
        typed = footprint.typed(settings.kv.page_type)
        sizes = settings.pool_sizes(footprint.context_length, 0, backend.step_tokens)
        needed = memory_need(typed, sizes, backend.sizes, 0, 0).needed
        settings = ExecutorSettings(str(path), mtp=True, memory_bytes=needed + beside)
        chosen = None
        if required is not None:
            files = DraftFiles("small", str(path), required=required)
            chosen = ChosenDraft(files, footprint, draft_bytes(footprint, 32, backend.sizes))
        return FittingLoader(settings, backend, said.append, again=False).load_model(
            chosen, lambda stage, fraction: None
        )

    return footprint, load


def test_a_model_that_fits_only_without_its_own_head_goes_without(
    with_head: tuple[Footprint, Load], said: list[str]
) -> None:
    footprint, load = with_head
    takes = head_bytes(footprint, 32, CpuBackend(1).sizes)
    assert load(takes, None)[0].drafting_head is not None
    assert said == []
    assert load(takes - 1, None)[0].drafting_head is None
    assert "there is no room for its own head that drafts" in said[-1]


def test_a_model_goes_without_a_draft_model_that_has_no_room_unless_its_own_parameters_name_it(
    with_head: tuple[Footprint, Load], said: list[str]
) -> None:
    footprint, load = with_head
    takes = draft_bytes(footprint, 32, CpuBackend(1).sizes)
    for required in (False, True):
        model, draft = load(takes, required)
        assert draft is not None
        assert model.drafting_head is None
    assert load(takes - 1, False)[1] is None
    assert "there is no room for its draft model small" in said[-1]
    with pytest.raises(DoesNotFit, match=r"its draft model small takes .* PARAMETER draft_model"):
        load(takes - 1, True)


def test_a_load_that_lacks_memory_has_what_killed_servers_left(
    with_head: tuple[Footprint, Load], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "FOLDER", tmp_path)
    pool = file.PoolFile(file.pool_path(tmp_path / "kv", b"c" * 16), b"c" * 16)
    pool.lay_out([4], 1 << 20)
    pool.close()
    monkeypatch.setattr(memory_budget, "available_bytes", lambda: 0 if pool.path.exists() else 1 << 40)
    _, load = with_head
    assert load(0, None)[1] is None
    assert not pool.path.exists()


def test_an_executor_that_comes_back_goes_on_without_a_draft_model_that_was_deleted(
    tmp_path: Path, said: list[str]
) -> None:
    settings = ExecutorSettings(str(tmp_path / "m.gguf"), drafts=[DraftFiles("small", str(tmp_path / "gone.gguf"))])

    def chosen(*, again: bool) -> ChosenDraft | None:
        return FittingLoader(settings, CpuBackend(1), said.append, again=again).chosen_draft()

    with pytest.raises(NoDraftModel, match="small"):
        chosen(again=False)
    assert said == []
    assert chosen(again=True) is None
    assert "the draft model small" in said[-1]

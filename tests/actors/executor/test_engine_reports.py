"""What an executor tells of its engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mlxr.actors.executor.engine_reports import EngineBytes, EngineReports
from mlxr.runtime.messages.registry import DrafterFailed
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind, DrafterLost

BACKEND: Any = SimpleNamespace(name="cpu", memory=lambda: None)


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def reports(told: list[Any]) -> EngineReports:
    context: Any = SimpleNamespace(engine="tiny", epoch=3)
    settings: Any = SimpleNamespace(own_process=False)
    made = EngineReports(context, settings, SimpleNamespace(nbytes=0))  # type: ignore[arg-type]
    made._backend = BACKEND
    made._sender = made._shared = SimpleNamespace(  # type: ignore[assignment]
        tell=lambda _, message: told.append(message)
    )
    return made


def test_that_drafts_fail_is_told_to_who_shows_it_and_to_who_asks_for_them(
    reports: EngineReports, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    reports.bytes = EngineBytes(weights=100, pages=7, drafting=30)
    reports.drafter_failed("no memory")
    assert told[:2] == [DrafterFailed("tiny", "no memory"), DrafterLost(3)]
    assert told[2].memory_bytes == 77
    assert "tiny goes without a draft model: no memory" in caplog.text


def test_that_a_draft_model_is_left_out_is_told_where_nothing_else_drafts(
    reports: EngineReports, told: list[Any]
) -> None:
    reports.goes_without("it has another vocabulary")
    for drafter in (None, DrafterInfo(DrafterKind.MTP, 0.1)):
        reports.up(BACKEND, 64, "", drafter, 0)
    assert [(up.drafter, up.undrafted) for up in told] == [("", "it has another vocabulary"), ("mtp", "")]

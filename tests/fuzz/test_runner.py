"""The runner notices every way in which reading may go wrong, and keeps the input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import parent
from tests.fuzz.child import case, kind_named


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> parent.Report:
    monkeypatch.setattr(parent, "FINDINGS", tmp_path / "found")
    (report,) = parent.Parent(seed=1, seconds=60, jobs=1).run({"broken": 60})
    return report


def test_errors_crashes_hangs_and_memory_are_told_apart_and_kept(report: parent.Report, tmp_path: Path) -> None:
    assert {finding.kind for finding in report.findings.values()} == {"error", "crash", "hang", "memory"}
    assert report.read == 60
    errors = [finding for finding in report.findings.values() if finding.kind == "error"]
    assert [finding.what.partition(" at ")[0] for finding in errors] == ["ZeroDivisionError"]
    for finding in report.findings.values():
        assert finding.kept is not None
        wanted = {"error": b"divide", "crash": b"abort", "hang": b"spin", "memory": b"take"}[finding.kind]
        assert finding.kept.read_bytes() == wanted


def test_a_case_is_the_same_each_time_and_another_for_another_seed(tmp_path: Path) -> None:
    kind = kind_named("safetensors")(tmp_path)
    assert case(kind, "safetensors", 1, 5) == case(kind, "safetensors", 1, 5)
    assert case(kind, "safetensors", 1, 5) != case(kind, "safetensors", 2, 5)


@pytest.mark.parametrize("name", ["gguf", "safetensors", "tokenizer_json", "folders", "schemas", "templates", "bodies"])
def test_cases_depend_on_their_number_alone(tmp_path: Path, name: str) -> None:
    kind = kind_named(name)(tmp_path)
    try:
        forwards = [case(kind, name, 3, index) for index in range(60)]
        assert [case(kind, name, 3, index) for index in reversed(range(60))] == forwards[::-1]
    finally:
        kind.close()

"""Which model drafts, of those that could."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.executor.drafting.loading import NoDraftModel, choose_draft
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.tensors import TensorType
from mlxr.runtime.engine_spec import DraftFiles
from tests.models.files import Sizes, write_model


def test_one_whose_tokenizer_can_not_be_read_is_left_out_unless_it_is_required(
    tmp_path: Path,
) -> None:
    """Who has named it for all models is told."""
    model, other = (
        write_model(tmp_path / name, "llama", TensorType.Q8_0, Sizes(vocabulary=300)) for name in ("a.gguf", "b.gguf")
    )
    for named in (False, True):
        found, told = [DraftFiles("other", str(other), named=named, required=False)], list[str]()
        assert choose_draft(model, found, CpuBackend(2), 32, "auto", told.append) is None
        assert [each.partition(" can't")[0] for each in told] == (["the draft model other"] if named else [])
    with pytest.raises(NoDraftModel, match="the draft model other can't be used"):
        choose_draft(model, [DraftFiles("other", str(other))], CpuBackend(2), 32, "auto", told.append)


def test_why_one_is_missing_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    missing = [DraftFiles("gone", "", required=False, missing="there is no model 'gone'")]
    assert choose_draft(tmp_path / "m.gguf", missing, CpuBackend(2), 32, "auto", told.append) is None
    assert told == ["there is no model 'gone'"]

"""Which family runs a model, by what its files call it."""

from __future__ import annotations

import pytest

from mlxr.models.architectures.families import by_architecture, encoder_family, find
from mlxr.models.hyperparameters import Format


@pytest.mark.parametrize("format", Format)
def test_a_family_is_found_by_whatever_files_of_a_format_call_it(format: Format) -> None:
    known = by_architecture(format)
    assert "llama" in known
    assert all(find(format, name) is family for name, family in known.items())


@pytest.mark.parametrize(
    "name", ["", "family", "nearest", "all_families", "../llama", "llama.FAMILY", "no_such", "Llama"]
)
def test_nothing_else_in_their_folder_is_a_family(name: str) -> None:
    assert find(Format.GGUF, name) is None


def test_encoders_are_told_from_decoders() -> None:
    assert encoder_family(Format.GGUF, "bert")
    assert not encoder_family(Format.GGUF, "llama")

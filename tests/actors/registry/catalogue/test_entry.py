"""What the catalogue says of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.runtime.model_info import ModelInfo

BLOB = Blob("ab" * 32, Path("/models/a"), 7, ModelInfo("gguf", "llama"))


def digest(name: str = "a", **overrides: Any) -> str:
    return CatalogueEntry(name, BLOB, 1.0, overrides=Overrides(**overrides)).message().digest


def test_names_of_the_same_files_have_the_digest_of_the_files() -> None:
    assert digest("a") == digest("b") == digest("c", parent="a") == BLOB.digest


@pytest.mark.parametrize(
    "overrides",
    [{"system": "Be brief"}, {"template": "t"}, {"options": {"top_k": 1}}, {"messages": [{"role": "user"}]}],
)
def test_what_is_laid_over_the_files_makes_it_another_model(overrides: dict[str, Any]) -> None:
    made = digest(**overrides)
    assert len(made) == len(BLOB.digest)
    assert made != BLOB.digest
    assert made == digest("b", **overrides)


def test_the_order_of_options_makes_no_difference() -> None:
    assert digest(options={"top_k": 1, "seed": 2}) == digest(options={"seed": 2, "top_k": 1})

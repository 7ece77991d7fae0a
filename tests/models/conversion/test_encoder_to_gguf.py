"""Encoders and rerankers in folders as GGUF files: the same vectors and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.conversion import to_gguf
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints_encoders import RANKERS, write_dense
from tests.models.architectures.test_encoder import IN_FOLDERS, folder_of, hidden_of, pooled
from tests.models.conversion.test_to_gguf import written

WITHOUT = {"gte", "gte ranker"}
"""Families of which there are no GGUF files."""


@pytest.fixture(autouse=True)
def made_up_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny checkpoints have no tokenizer."""
    monkeypatch.setattr(
        to_gguf,
        "add_vocabulary",
        lambda writer, folder, config, sentencepiece, kind: writer.add_tokenizer_model("none"),
    )


def vectors(path: Path) -> tuple[Any, Any]:
    backend = ReferenceBackend()
    model = load_model(path, backend)
    hidden = hidden_of(model, backend)
    return hidden, pooled(model, hidden)


@pytest.mark.parametrize("case", [case for case in (*IN_FOLDERS, *RANKERS) if case not in WITHOUT])
def test_a_file_gives_the_vectors_and_scores_of_its_folder(case: str, tmp_path: Path) -> None:
    folder = folder_of(case, tmp_path / "folder")
    made = written(folder, tmp_path / "made.gguf")
    check_model(made)
    for got, expected in zip(vectors(made), vectors(folder), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5 * np.abs(expected).max())


def test_what_an_embedding_goes_through_comes_along(tmp_path: Path) -> None:
    folder = write_dense(folder_of("embedding gemma", tmp_path / "folder"))
    made = written(folder, tmp_path / "made.gguf")
    fields = GGUFReader(made).fields
    assert fields["gemma-embedding.pooling_type"].contents() == 1
    got, expected = vectors(made)[1], vectors(folder)[1]
    np.testing.assert_allclose(got / np.linalg.norm(got), expected, atol=1e-5)

"""Long texts, encoded slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import Tokenizer, load_directory, load_gguf
from mlxr.models.tokenizers.slices import SLICE, batches, slices
from tests.models import model_path

ALICE = (Path(__file__).parents[2] / "data" / "alice.txt").read_text()


def _load(name: str) -> Tokenizer:
    path = model_path(name)
    return load_directory(path) if path.is_dir() else load_gguf(GGUFFile.open(path).metadata)


def test_slices_are_the_text_and_end_before_words() -> None:
    text = ALICE * 100
    found = list(slices(text, size=1000))
    assert "".join(found) == text
    assert len(found) > len(text) // 1000
    assert all(piece[0] == " " and piece[1].isalpha() for piece in found[1:])


def test_a_text_without_words_is_cut_all_the_same() -> None:
    assert [len(piece) for piece in slices('"' * 2500, size=1000)] == [1000, 1000, 500]


def test_batches_keep_the_order_of_text_and_tokens() -> None:
    parts: list[str | int] = [1, "a" * SLICE, 2, "b", 3]
    assert [len(batch) for batch in batches(parts)] == [1, 1, 3]
    assert [part for batch in batches(parts) for part in batch] == parts


@pytest.mark.parametrize("name", ["smollm2", "gemma3", "minilm"])
def test_a_long_text_has_the_tokens_that_the_library_gives_it_in_one_go(name: str) -> None:
    tokenizer: Any = _load(name)
    text = ALICE * (3 * SLICE // len(ALICE))
    if name == "gemma3":
        whole = tokenizer._processor.encode(text)
    else:
        library = tokenizer._pipeline if name == "minilm" else tokenizer._merger
        whole = library.encode(text, add_special_tokens=False).ids
    assert tokenizer.encode(text, add_special=False) == whole
    if name == "minilm":
        assert tokenizer.encode(text) == library.encode(text).ids


@pytest.mark.parametrize("name", ["smollm2", "gemma3", "minilm"])
def test_encoding_ends_where_no_more_tokens_are_of_use(name: str) -> None:
    tokenizer = _load(name)
    text = "word " * (4 * SLICE)
    some = tokenizer.encode(text, limit=100)
    assert 100 < len(some) <= SLICE
    assert some[:100] == tokenizer.encode(text)[:100]

"""Strings of a header, however long and wherever they lie in what is read at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlxr.models.errors import ModelFileError
from mlxr.models.formats.gguf.cursor import BIG, LITTLE, MANY, U64, WINDOW_BYTES, ByteOrder, Cursor
from mlxr.models.modelfile import ModelFile


def written(path: Path, texts: list[bytes], order: ByteOrder, behind: bytes = b"") -> Cursor:
    path.write_bytes(b"".join(U64[order].pack(len(text)) + text for text in texts) + behind)
    cursor = Cursor(ModelFile(path))
    cursor.order = order
    return cursor


def many(longest: int) -> list[bytes]:
    choose = random.Random(longest)
    return [choose.randbytes(choose.randrange(longest)) for _ in range(2 * MANY)]


@pytest.mark.parametrize("order", [LITTLE, BIG])
@pytest.mark.parametrize("longest", [1, 20, 2000])
def test_strings_come_back_as_they_were_written(tmp_path: Path, longest: int, order: ByteOrder) -> None:
    texts = many(longest)
    cursor = written(tmp_path / "file", texts, order, b"what follows")
    strings = cursor.strings("key", len(texts))
    assert list(strings.raw()) == texts
    assert strings.lengths.tolist() == [len(text) for text in texts]
    assert cursor.take(12, "rest") == b"what follows"


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_a_string_that_is_longer_than_what_is_read_at_once_comes_back_too(tmp_path: Path, order: ByteOrder) -> None:
    texts = many(20)
    texts[MANY] = bytes(WINDOW_BYTES + 5)
    cursor = written(tmp_path / "file", texts, order)
    assert list(cursor.strings("key", len(texts)).raw()) == texts


def test_strings_that_end_with_the_file_are_refused_where_one_is_missing(tmp_path: Path) -> None:
    texts = many(20)
    assert list(written(tmp_path / "file", texts, LITTLE).strings("key", len(texts)).raw()) == texts
    with pytest.raises(ModelFileError, match="ends within 'key'"):
        written(tmp_path / "file", texts, LITTLE).strings("key", len(texts) + 1)
    with pytest.raises(ModelFileError, match="runs past its end"):
        written(tmp_path / "file", texts, LITTLE, U64[LITTLE].pack(9)).strings("key", len(texts) + 1)


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_a_file_that_ends_within_a_string_with_more_to_come_is_refused(tmp_path: Path, order: ByteOrder) -> None:
    texts = many(20)
    cursor = written(tmp_path / "file", texts, order, U64[order].pack(9) + b"half")
    with pytest.raises(ModelFileError, match="runs past its end"):
        cursor.strings("key", len(texts) + 2)

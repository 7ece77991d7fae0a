"""Segments: what was written comes back, and nothing else ever does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.actors.kv.disk.segment import (
    BadSegmentError,
    Segment,
    read_content,
    read_segment,
    segment_bytes,
    write_segment,
)
from mlxr.runtime.messages.kv import StoredPage

CONTENTS = bytes(range(16))
PAGES = [StoredPage(bytes([n]) * 16, b"", 0) for n in range(2)] + [StoredPage(b"t" * 16, b"p" * 16, 5)]
CONTENT = np.random.default_rng(1).integers(0, 256, (3, 100), np.uint8)


def written(path: Path) -> Path:
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    write_segment(file, CONTENTS, 1, PAGES, CONTENT)
    os.close(file)
    return path


def read(path: Path) -> tuple[Segment, NDArray[np.uint8], list[bool]]:
    file = os.open(path, os.O_RDONLY)
    try:
        segment = read_segment(file)
        content = np.zeros((len(segment.pages), segment.page_bytes), np.uint8)
        return segment, content, read_content(file, segment, 0, content)
    finally:
        os.close(file)


def test_a_segment_is_read_as_it_was_written(tmp_path: Path) -> None:
    segment, content, good = read(written(tmp_path / "a"))
    assert (segment.contents, segment.group, list(segment.pages)) == (CONTENTS, 1, PAGES)
    assert np.array_equal(content, CONTENT)
    assert good == [True] * 3


def test_pages_within_a_segment_are_read_alone(tmp_path: Path) -> None:
    file = os.open(written(tmp_path / "a"), os.O_RDONLY)
    content = np.zeros((2, 100), np.uint8)
    assert read_content(file, read_segment(file), 1, content) == [True, True]
    os.close(file)
    assert np.array_equal(content, CONTENT[1:])


def test_a_file_has_the_size_that_was_reserved_for_it(tmp_path: Path) -> None:
    assert written(tmp_path / "a").stat().st_size == segment_bytes(3, 100)


def test_no_bit_of_a_segment_can_flip_and_give_another_page(tmp_path: Path) -> None:
    whole = written(tmp_path / "a").read_bytes()
    damaged = tmp_path / "b"
    head_and_table, contents = 8 * (64 + 3 * 64), 8 * 3 * 100
    refused = missed = 0
    for bit in range(len(whole) * 8):
        padding = head_and_table <= bit < 8 * 4096 or bit >= 8 * 4096 + contents
        if padding and bit % 61:
            continue
        damaged.write_bytes(flipped(whole, bit))
        try:
            segment, content, good = read(damaged)
        except BadSegmentError:
            refused += 1
            continue
        assert (segment.contents, segment.group, list(segment.pages)) == (CONTENTS, 1, PAGES)
        assert all(np.array_equal(content[n], CONTENT[n]) for n in range(3) if good[n])
        missed += not all(good)
    assert refused == head_and_table
    assert missed == contents


def flipped(whole: bytes, bit: int) -> bytes:
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut(whole: bytes) -> bytes:
    return whole[:4200]


def cut_within_its_head(whole: bytes) -> bytes:
    return whole[:20]


def longer(whole: bytes) -> bytes:
    return whole + b"\0"


def of_another_format(whole: bytes) -> bytes:
    return whole[:8] + b"\2" + whole[9:]


def a_text(whole: bytes) -> bytes:
    return b"once upon a time " * 1000


def empty(whole: bytes) -> bytes:
    return b""


def all_zeros(whole: bytes) -> bytes:
    return bytes(len(whole))


@pytest.mark.parametrize(
    "change", [cut, cut_within_its_head, longer, of_another_format, a_text, empty, all_zeros], ids=lambda f: f.__name__
)
def test_what_is_no_whole_segment_of_this_format_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path / "a")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadSegmentError):
        read(path)


def test_a_page_in_the_place_of_another_is_no_page(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    whole = bytearray(path.read_bytes())
    whole[4096:4196], whole[4196:4296] = whole[4196:4296], whole[4096:4196]
    path.write_bytes(whole)
    assert read(path)[2] == [False, False, True]

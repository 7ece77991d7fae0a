from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlxr.runtime.whole_files import write_whole


def test_a_file_is_replaced_with_its_mode_and_its_folder_is_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "unit"
    write_whole(file, "one", 0o644)
    write_whole(file, "two", 0o600)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("two", 0o600)
    assert os.listdir(file.parent) == ["unit"]


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "unit"
    file.write_text("before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "after", 0o600)
    assert (file.read_text(), os.listdir(tmp_path)) == ("before", ["unit"])


def test_nothing_is_left_where_a_folder_is_in_the_place(tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "unit", "text", 0o600)
    assert os.listdir(tmp_path) == ["unit"]

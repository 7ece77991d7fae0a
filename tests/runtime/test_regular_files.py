"""Files that strangers may name."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from mlxr.runtime.regular_files import open_regular, read_regular


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("x")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"abc"
    with pytest.raises(OSError):
        open_regular(tmp_path / "link", links=False)


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "fifo link").symlink_to("fifo")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        for path in (tmp_path / "fifo", tmp_path / "fifo link", tmp_path / "s", tmp_path, Path("/dev/zero")):
            with pytest.raises(OSError, match="is no regular file"):
                open_regular(path)
        with pytest.raises(OSError):
            open_regular(tmp_path / "loop")


def test_a_fifo_that_takes_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"")
    before = os.stat(tmp_path / "x")
    (tmp_path / "x").unlink()
    os.mkfifo(tmp_path / "x")
    monkeypatch.setattr(os, "stat", lambda path, follow_symlinks: before)
    with pytest.raises(OSError, match="is no regular file"):
        open_regular(tmp_path / "x")


def test_a_file_larger_than_expected_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert read_regular(tmp_path / "x", 3) == b"abc"
    with pytest.raises(OSError) as caught:
        read_regular(tmp_path / "x", 2)
    assert caught.value.errno == errno.EFBIG

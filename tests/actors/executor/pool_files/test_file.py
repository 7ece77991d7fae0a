"""A pool's file: who may take it over, and what it has then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlxr.actors.executor.pool_files.file import HEAD_BYTES, NoPoolFileError, PoolFile, pool_path
from mlxr.actors.executor.pool_files.left import delete_left, left_files

CONTENTS, STORE = b"c" * 16, Path("/a/store")
NBYTES = 1 << 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return pool_path(STORE, CONTENTS, tmp_path)


def made(path: Path, *counts: int) -> PoolFile:
    file = PoolFile(path, CONTENTS)
    file.lay_out(counts or (4, 2), NBYTES)
    return file


def test_the_next_process_finds_what_one_that_was_killed_had_written(path: Path) -> None:
    killed = made(path)
    os.pwrite(killed.descriptor, b"page", killed.offset + 77)
    killed.close()
    following = PoolFile(path, CONTENTS)
    assert following.counts == (4, 2)
    following.lay_out((4, 2), NBYTES)
    assert os.pread(following.descriptor, 4, following.offset + 77) == b"page"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_is_one_process_s_as_long_as_that_lives(path: Path) -> None:
    living = made(path)
    with pytest.raises(NoPoolFileError, match="another process has"):
        PoolFile(path, CONTENTS)
    living.close()
    PoolFile(path, CONTENTS).close()


def test_a_pool_of_another_size_begins_with_nothing(path: Path) -> None:
    killed = made(path)
    os.pwrite(killed.descriptor, b"page", killed.offset + 77)
    killed.close()
    following = made(path, 4, 3)
    assert following.counts == (4, 3)
    assert os.pread(following.descriptor, 4, following.offset + 77) == bytes(4)


@pytest.mark.parametrize("bit", range(0, 8 * 64, 5))
def test_a_damaged_head_is_no_head(path: Path, bit: int) -> None:
    made(path).close()
    with open(path, "r+b") as opened:
        head = bytearray(opened.read(HEAD_BYTES))
        head[bit // 8] ^= 1 << bit % 8
        opened.seek(0)
        opened.write(head)
    assert PoolFile(path, CONTENTS).counts == ()


def test_another_engine_s_file_is_not_taken_over(path: Path) -> None:
    made(path).close()
    assert PoolFile(path, b"d" * 16).counts == ()


def test_no_link_is_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        PoolFile(path, CONTENTS)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_there_is_no_pool_where_the_file_system_has_no_room(path: Path) -> None:
    with pytest.raises(NoPoolFileError, match="no room"):
        PoolFile(path, CONTENTS).lay_out((4, 2), 1 << 60)


def test_a_pool_begun_anew_leaves_who_maps_the_old_one_its_memory(path: Path) -> None:
    file = made(path)
    os.pwrite(file.descriptor, b"page", file.offset)
    with open(path, "rb") as old:
        number = file.descriptor
        file.renew()
        assert file.descriptor == number
        assert os.pread(file.descriptor, 4, file.offset) == bytes(4)
        assert os.pread(old.fileno(), 4, file.offset) == b"page"
    with pytest.raises(NoPoolFileError):
        PoolFile(path, CONTENTS)


def test_only_what_nobody_has_open_is_deleted_and_of_this_store_alone(path: Path, tmp_path: Path) -> None:
    living = made(path)
    killed, other = pool_path(STORE, b"k" * 16, tmp_path), pool_path(Path("/another"), CONTENTS, tmp_path)
    for each in (killed, other):
        left = made(each)
        os.pwrite(left.descriptor, os.urandom(8192), left.offset)
        left.close()
    (tmp_path / "mlxr-notes.txt").write_text("mine")
    assert [left.path for left in left_files(STORE, tmp_path)] == [killed]
    assert delete_left(STORE, tmp_path, idle_seconds=3600) == 0
    assert delete_left(STORE, tmp_path) >= 8192
    assert sorted(tmp_path.iterdir()) == sorted([path, other, tmp_path / "mlxr-notes.txt"])
    os.utime(other, (1e9, 1e9))
    assert delete_left(None, tmp_path, idle_seconds=3600) >= 8192
    assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / "mlxr-notes.txt"])
    living.delete()
    assert not path.exists()

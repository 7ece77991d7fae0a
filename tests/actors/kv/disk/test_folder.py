"""The folder of segments: its quota, who shares it, and what may happen to it."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.segment import segment_bytes, write_segment
from mlxr.actors.kv.disk.shared_folder import NoRoomError, all_files
from mlxr.runtime.messages.kv import StoredPage

CONTENTS = b"c" * 16
PAGE = 5000
SIZE = segment_bytes(2, PAGE)


def store(folder: SegmentFolder, name: str, contents: bytes = CONTENTS) -> list[str]:
    """Writes a segment; returns what was evicted for it."""
    file, evicted = folder.create(name, SIZE)
    pages = [StoredPage(name.encode().ljust(15) + bytes([n])) for n in range(2)]
    write_segment(file, contents, 0, pages, np.full((2, PAGE), len(name), np.uint8))
    folder.finish(name, file)
    return evicted


def names(folder: SegmentFolder) -> set[str]:
    return {name for name, _ in folder.segments()}


def used(root: Path) -> int:
    """Bytes of all files but the lock, as anybody would count them. Files that come and go while they are counted would
    be counted together, so nobody makes any meanwhile."""
    sizes: dict[int, int] = {}
    with open(root / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file in (file for file in root.rglob("*") if file.is_file() and file.name != "lock"):
            with suppress(FileNotFoundError):  # it has got its name
                status = file.stat()
                sizes[status.st_ino] = max(status.st_size, status.st_blocks * 512)
    return sum(sizes.values())


def test_what_was_stored_is_found_by_the_next_process(tmp_path: Path) -> None:
    store(SegmentFolder(tmp_path, CONTENTS, 10 * SIZE), "a")
    (found,) = SegmentFolder(tmp_path, CONTENTS, 10 * SIZE).segments()
    assert found[0] == "a"
    assert [page.address for page in found[1].pages] == [b"a".ljust(15) + bytes([n]) for n in range(2)]


def test_pages_of_other_models_are_not_looked_at_and_count_towards_the_quota(tmp_path: Path) -> None:
    other, own = SegmentFolder(tmp_path, b"o" * 16, 2 * SIZE), SegmentFolder(tmp_path, CONTENTS, 2 * SIZE)
    store(other, "a", b"o" * 16)
    store(own, "b")
    assert names(own) == {"b"}
    store(own, "c")
    assert names(other) == set()
    assert used(tmp_path) <= 2 * SIZE


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 3 * SIZE)
    for name in "abc":
        store(folder, name)
    folder.touch(["b", "a"])
    assert store(folder, "d") == ["c"]
    assert store(folder, "e") == ["b"]


def test_a_clock_set_back_changes_nothing_in_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 3 * SIZE)
    store(folder, "a")
    store(folder, "b")
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    store(folder, "c")
    restarted = SegmentFolder(tmp_path, CONTENTS, 3 * SIZE)
    assert store(restarted, "d") == ["a"]
    assert store(restarted, "e") == ["b"]
    assert names(restarted) == {"c", "d", "e"}


def test_a_file_larger_than_the_quota_is_refused_and_evicts_nothing(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 2 * SIZE)
    store(folder, "a")
    with pytest.raises(NoRoomError):
        folder.create("b", 2 * SIZE + 1)
    assert names(folder) == {"a"}


def test_a_smaller_quota_holds_from_the_next_start_on(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 4 * SIZE)
    for name in "abcd":
        store(folder, name)
    smaller = SegmentFolder(tmp_path, CONTENTS, 2 * SIZE)
    smaller.enforce()
    assert names(smaller) == {"c", "d"}


def test_what_a_killed_writer_has_left_is_deleted_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 3 * SIZE)
    left, _ = folder.create("left", SIZE)
    os.close(left)  # as the system does for a process that is killed
    living, _ = folder.create("living", SIZE)
    SegmentFolder(tmp_path, CONTENTS, 3 * SIZE).enforce()
    assert {file.path.name for file in all_files(tmp_path)} == {"living.new"}
    folder.discard("living", living, SIZE)
    assert used(tmp_path) == 0


def test_damaged_files_are_deleted_at_the_start_and_those_of_another_format_too(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 9 * SIZE)
    for name in "abc":
        store(folder, name)
    folder.path("a").write_bytes(b"")
    folder.path("b").write_bytes(folder.path("b").read_bytes()[:8] + b"\7" * 100)
    assert names(folder) == {"c"}
    assert {file.path.stem for file in all_files(tmp_path)} == {"c"}


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, SIZE)
    store(folder, "a")
    (folder.path("a").parent / "notes.txt").write_text("mine")
    (tmp_path / "more").mkdir()
    for name in ("film.mp4", "taxes.pages", "build.new"):
        (tmp_path / "more" / name).write_bytes(b"x" * 100_000)
    (tmp_path / "empty").mkdir()
    store(folder, "b")
    folder.enforce()
    SegmentFolder(tmp_path, b"", 0).enforce()
    assert names(folder) == set()
    assert (folder.path("a").parent / "notes.txt").exists()
    assert {path.name for path in (tmp_path / "more").iterdir()} == {"film.mp4", "taxes.pages", "build.new"}
    assert (tmp_path / "empty").is_dir()


def test_a_folder_that_may_not_be_looked_into_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, folder = SegmentFolder(tmp_path, b"o" * 16, 2 * SIZE), SegmentFolder(tmp_path, CONTENTS, 2 * SIZE)
    store(other, "z", b"o" * 16)
    with monkeypatch.context() as closed:
        for call in ("scandir", "listdir"):
            closed.setattr(os, call, refusing(getattr(os, call), other.path("z").parent))
        folder.enforce()
        store(folder, "a")
        assert list(folder.others(10)) == []
        assert {file.path.stem for file in all_files(tmp_path)} == {"a"}
    assert names(other) == {"z"}


def refusing(real: Callable[[Path], object], folder: Path) -> Callable[[Path], object]:
    """A call of the system that may not touch ``folder``."""

    def call(path: Path) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    return call


def test_files_and_folders_deleted_by_others_are_no_trouble(tmp_path: Path) -> None:
    root = tmp_path / "kv"
    folder = SegmentFolder(root, CONTENTS, 2 * SIZE)
    store(folder, "a")
    folder.path("a").unlink()
    folder.touch(["a"])
    store(folder, "b")
    for file in (folder.path("b"), root / "lock"):
        file.unlink()
    folder.path("b").parent.rmdir()
    root.rmdir()
    store(folder, "c")
    assert names(folder) == {"c"}


def test_a_damaged_lock_file_is_counted_anew(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 2 * SIZE)
    store(folder, "a")
    store(folder, "b")
    (tmp_path / "lock").write_bytes(b"\xff" * 24)
    assert store(folder, "c") == ["a"]
    assert used(tmp_path) <= 2 * SIZE


def test_the_quota_is_never_exceeded_by_several_writers_with_files_in_flight(tmp_path: Path) -> None:
    quota, seen, done = 10 * SIZE, [0], threading.Event()

    def write(writer: int) -> None:
        folder = SegmentFolder(tmp_path, CONTENTS, quota)
        for number in range(40):
            try:
                file, _ = folder.create(f"{writer}-{number}", SIZE)
            except NoRoomError:
                continue
            time.sleep(0.002)
            if number % 7 == 0:
                os.close(file)  # killed
                continue
            write_segment(file, CONTENTS, 0, [StoredPage(b"a" * 16)] * 2, np.ones((2, PAGE), np.uint8))
            folder.finish(f"{writer}-{number}", file)

    def sample() -> None:
        while not done.is_set():
            seen.append(used(tmp_path))
            done.wait(0.01)

    sampler = threading.Thread(target=sample)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in [sampler, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    sampler.join()
    assert len(seen) > 5
    assert 0 < max(seen) <= quota


def test_what_may_not_be_deleted_takes_its_room_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 3 * SIZE)
    for name in "abc":
        store(folder, name)
    unlink = os.unlink

    def refuse(path: Path) -> None:
        if Path(path).stem == "a":
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path)

    monkeypatch.setattr(os, "unlink", refuse)
    assert store(folder, "d") == ["b"]
    assert used(tmp_path) == 3 * SIZE


def test_a_file_that_could_not_be_written_gives_back_its_own_room_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = (SegmentFolder(tmp_path, CONTENTS, 3 * SIZE) for _ in range(2))
    store(other, "z")
    file, _ = folder.create("failed", SIZE)
    drop = SegmentFolder._drop

    def dropped(self: SegmentFolder, name: str, opened: int) -> None:
        drop(self, name, opened)
        # Another one may count files at any moment at which the lock is free.
        with suppress(OSError):
            other.enforce()

    monkeypatch.setattr("mlxr.actors.kv.disk.shared_folder.LOCK_SECONDS", 0.0)
    monkeypatch.setattr(SegmentFolder, "_drop", dropped)
    folder.discard("failed", file, SIZE)
    monkeypatch.undo()
    for name in "abcd":
        store(other, name)
        assert used(tmp_path) <= 3 * SIZE


def test_a_file_is_closed_and_deleted_though_another_server_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SegmentFolder(tmp_path, CONTENTS, 3 * SIZE)
    file, _ = folder.create("failed", SIZE)
    monkeypatch.setattr("mlxr.actors.kv.disk.shared_folder.LOCK_SECONDS", 0.0)
    with open(tmp_path / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.discard("failed", file, SIZE)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    assert all_files(tmp_path) == []

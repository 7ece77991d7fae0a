"""The threads that write and read pages: what they tell of a disk, whatever it does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import pytest

from mlxr.actors.executor.page_files import BUFFERS, PageFiles
from mlxr.actors.executor.page_listing import About
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.segment import segment_bytes, write_segment
from mlxr.actors.kv.disk.shared_folder import all_files
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import RestorePages, StorePages
from mlxr.runtime.messages.kv import DiskOpened, OtherPagesFound, PagesStored, SegmentsFound, StoredPage

CONTENTS, PAGE = b"c" * 16, 5000
M = TypeVar("M", bound=Message)


class Heard:
    """What the KV manager was told."""

    def __init__(self) -> None:
        self._told: list[Message] = []
        self._changed = threading.Condition()

    def __call__(self, message: Message | None = None) -> None:
        with self._changed:
            self._told += [message] if message is not None else []
            self._changed.notify_all()

    def next(self, wanted: type[M], when: Callable[[M], bool] = lambda _: True) -> M:
        """Waits for such a message, and takes it."""

        def found() -> M | None:
            return next((each for each in self._told if isinstance(each, wanted) and when(each)), None)

        with self._changed:
            assert self._changed.wait_for(found, timeout=30), self._told
            message = found()
            assert message is not None
            self._told.remove(message)
            return message


def address(number: int) -> bytes:
    return number.to_bytes(16, "little")


def stored(batch: int, name: str, pages: int = 2) -> StorePages:
    return StorePages(0, batch, name, 0, list(range(pages)), [StoredPage(address(page)) for page in range(pages)])


def content(pages: int = 2) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.arange(pages * PAGE, dtype=np.uint32).astype(np.uint8).reshape(pages, PAGE)


@contextmanager
def files(
    root: Path, heard: Heard, quota: int = 1 << 20, retry: float = 60.0, look: float = 60.0
) -> Iterator[PageFiles]:
    made = PageFiles(SegmentFolder(root, CONTENTS, quota), CONTENTS, [PAGE], 0, heard, heard, retry, look)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def read(of: PageFiles, heard: Heard, name: str, pages: int = 2) -> list[bool]:
    """Reads pages of a segment; returns which are as they were written."""
    of.read(RestorePages(0, 9, name, 0, 0, list(range(pages)), [address(page) for page in range(pages)]))
    with heard._changed:
        assert heard._changed.wait_for(lambda: of._done, timeout=30)
    found = of.done()
    assert found is not None
    for page, good in enumerate(found.good):
        assert not good or (found.content[page] == content(pages)[page]).all()
    of.free(found)
    return found.good


def test_what_was_written_is_described_to_the_next_and_read(tmp_path: Path) -> None:
    heard = Heard()
    with files(tmp_path, heard) as first:
        first.write(stored(1, "a"), content())
        assert heard.next(PagesStored).bytes > 2 * PAGE
    with files(tmp_path, heard) as second:
        second.describe()
        assert heard.next(DiskOpened).writable
        found = heard.next(SegmentsFound)
        assert ([segment.name for segment in found.segments], found.last) == (["a"], True)
        assert read(second, heard, "a") == [True, True]


def test_nobody_holds_what_is_on_disk(tmp_path: Path) -> None:
    heard, let_go = Heard(), threading.Event()
    pages = content()
    weakref.finalize(pages, let_go.set)
    with files(tmp_path, heard) as made:
        made.write(stored(1, "a"), pages)
        del pages
        assert heard.next(PagesStored).bytes
        assert let_go.wait(30)


def test_what_another_engine_stores_is_found_by_those_that_are_running(tmp_path: Path) -> None:
    heard, others = Heard(), Heard()
    with files(tmp_path, heard, look=0.05) as made, files(tmp_path, others) as other:
        made.describe()
        assert heard.next(SegmentsFound).last
        made.write(stored(1, "own"), content())
        heard.next(PagesStored)
        other.write(stored(1, "theirs"), content())
        others.next(PagesStored)
        found = heard.next(SegmentsFound)
        assert ([segment.name for segment in found.segments], found.last) == (["theirs"], False)
        assert read(made, heard, "theirs") == [True, True]


def test_what_another_engine_deletes_is_told_to_those_that_are_running(tmp_path: Path) -> None:
    heard = Heard()
    with files(tmp_path, heard, look=0.05) as made:
        made.write(stored(1, "a"), content())
        heard.next(PagesStored)
        made.describe()
        heard.next(SegmentsFound)
        made.write(stored(2, "b"), content())
        heard.next(PagesStored)
        SegmentFolder(tmp_path, b"o" * 16, 0).enforce()
        gone = [*heard.next(SegmentsFound).gone]
        while len(gone) < 2:
            gone += heard.next(SegmentsFound).gone
        assert sorted(gone) == ["a", "b"]


def test_it_ends_though_nobody_takes_what_was_read(tmp_path: Path) -> None:
    heard = Heard()
    with files(tmp_path, heard) as first:
        first.write(stored(1, "a"), content())
    made = PageFiles(SegmentFolder(tmp_path, CONTENTS, 1 << 20), CONTENTS, [PAGE], 0, heard, heard)
    made.start()
    for _ in range(3 * BUFFERS):
        made.read(RestorePages(0, 9, "a", 0, 0, [0, 1], [address(0), address(1)]))
    stopping = threading.Thread(target=made.stop, daemon=True)
    stopping.start()
    stopping.join(timeout=20)
    assert not stopping.is_alive()


def test_a_description_ends_though_nothing_is_there(tmp_path: Path) -> None:
    heard = Heard()
    with files(tmp_path / "none", heard) as made:
        made.describe()
        assert heard.next(SegmentsFound).last


def test_a_disk_that_could_not_be_written_at_the_start_is_tried_again(tmp_path: Path) -> None:
    heard, root = Heard(), tmp_path / "kv"
    root.mkdir()
    (root / "lock").mkdir()  # which can't be opened as a file, by root neither
    with files(root, heard, retry=0.05) as made:
        made.describe()
        assert not heard.next(DiskOpened).writable
        (root / "lock").rmdir()
        assert heard.next(DiskOpened, lambda event: event.writable)
        made.write(stored(1, "a"), content())
        assert heard.next(PagesStored).bytes


def test_a_failure_that_nobody_thought_of_ends_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    with files(tmp_path, heard, retry=0.05) as made:
        with monkeypatch.context() as broken:
            broken.setattr(SegmentFolder, "create", lambda *_: 1 / 0)
            broken.setattr(SegmentFolder, "open", lambda *_: 1 / 0)
            made.write(stored(1, "a"), content())
            assert not heard.next(PagesStored).bytes
            assert read(made, heard, "a") == []
        assert heard.next(DiskOpened).writable
        made.write(stored(2, "b"), content())
        assert heard.next(PagesStored).bytes
        assert read(made, heard, "b") == [True, True]


def test_a_damaged_segment_is_read_once(tmp_path: Path) -> None:
    heard = Heard()
    with files(tmp_path, heard) as made:
        made.write(stored(1, "a"), content())
        heard.next(PagesStored)
        (file,) = all_files(tmp_path)
        with open(file.path, "r+b") as opened:
            opened.seek(file.bytes - 4096)
            opened.write(b"\xff" * 100)
        assert read(made, heard, "a") == [True, False]
        assert not file.path.exists()


def test_files_that_can_not_be_used_are_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    with files(tmp_path, heard) as made:
        for batch, name in enumerate("abc"):
            made.write(stored(batch, name), content())
            heard.next(PagesStored)
    for file in all_files(tmp_path):
        if file.path.stem != "c":
            with open(file.path, "r+b") as opened:
                opened.seek(8)  # the number of its format
                opened.write(b"\x07")
    for _ in range(2):
        with files(tmp_path, heard) as made:
            made.describe()
            found = heard.next(SegmentsFound, lambda told: told.last)
            assert [each.name for each in found.segments] == ["c"]
    (warning,) = [record.getMessage() for record in caplog.records if "pages" in record.getMessage()]
    assert "2 files" in warning
    assert "format 7, not 1" in warning


def test_what_is_no_regular_file_holds_nobody_up(tmp_path: Path) -> None:
    heard = Heard()
    with files(tmp_path, heard) as made:
        made.write(stored(1, "a"), content())
        heard.next(PagesStored)
        (file,) = all_files(tmp_path)
        os.mkfifo(file.path.with_name("b.pages"))
        file.path.with_name("c.pages").mkdir()
        file.path.with_name("d.pages").symlink_to("/dev/zero")
        made.describe()
        assert [segment.name for segment in heard.next(SegmentsFound).segments] == ["a"]
        assert read(made, heard, "b") == read(made, heard, "c") == read(made, heard, "d") == []


def test_pages_of_other_engines_are_told_by_what_they_depend_on(tmp_path: Path) -> None:
    about = msgspec.json.encode(About(["another model", "cpu"], 32))
    other = SegmentFolder(tmp_path, b"o" * 16, 1 << 20, about)
    file, _ = other.create("x", segment_bytes(2, PAGE))
    write_segment(file, b"o" * 16, 0, stored(1, "x").stored, content())
    other.finish("x", file)
    (tmp_path / ("0" * 32)).mkdir()
    (tmp_path / ("0" * 32) / "about.json").write_text("{")
    heard = Heard()
    with files(tmp_path, heard) as made:
        made.describe()
        told = heard.next(OtherPagesFound)
        assert (told.contents, told.block, told.addresses) == (["another model", "cpu"], 32, [address(0), address(1)])
    other.forget("x")
    SegmentFolder(tmp_path, CONTENTS, 1 << 20).enforce()
    assert not (tmp_path / (b"o" * 16).hex()).exists()


CALLS = ("open", "ftruncate", "pwrite", "utime", "rename", "mkdir")
"""What writing asks of the system."""


def test_a_disk_that_fails_at_any_call_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = 0
    for fails_at in range(100):
        heard, root, calls = Heard(), tmp_path / str(fails_at), [0]

        def failing(real: Callable[..., object], calls: list[int] = calls, at: int = fails_at) -> Callable[..., object]:
            def call(*arguments: object, **named: object) -> object:
                calls[0] += 1
                if calls[0] == at + 1:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real(*arguments, **named)

            return call

        with files(root, heard, quota=30_000, retry=0.01) as made:
            with monkeypatch.context() as broken:
                for name in CALLS:
                    broken.setattr(os, name, failing(getattr(os, name)))
                made.write(stored(1, "a"), content())
                first = heard.next(PagesStored)
            if calls[0] <= fails_at:
                assert first.bytes
                break
            failed += 1
            assert (not first.bytes) == (read(made, heard, "a") == [])
            if not first.bytes:
                assert heard.next(DiskOpened, lambda event: event.writable)
                assert not root.exists() or all_files(root) == []
            made.write(stored(2, "b"), content())
            assert heard.next(PagesStored).bytes
            assert read(made, heard, "b") == [True, True]
            # Room for two of the files, whatever was noted of the one that failed.
            made.write(stored(3, "c"), content())
            assert heard.next(PagesStored).bytes
            assert sum(file.bytes for file in all_files(root)) <= 30_000
    assert failed > 8


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.segment import segment_bytes, write_segment
from mlxr.runtime.messages.kv import StoredPage

root, size = Path(sys.argv[1]), segment_bytes(2, 5000)


def write(folder, name):
    file, _ = folder.create(name, size)
    write_segment(file, b"c" * 16, 0, [StoredPage(bytes([n]) * 16) for n in range(2)], np.ones((2, 5000), np.uint8))
    folder.finish(name, file)


def killed(real, count=[0]):
    def call(*arguments, **named):
        count[0] += 1
        if count[0] > at:
            os._exit(9)
        # A write may be cut at any byte.
        if real is write_some and count[0] == at:
            real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2], arguments[2])
            os._exit(9)
        return real(*arguments, **named)

    return call


write_some = os.pwrite
for at in range(60):
    folder = SegmentFolder(root, b"c" * 16, 3 * size)
    write(folder, f"before-{at}")
    child = os.fork()
    if not child:
        for name in ("open", "ftruncate", "pwrite", "utime", "rename", "unlink"):
            setattr(os, name, killed(getattr(os, name)))
        write(SegmentFolder(root, b"c" * 16, 3 * size), f"killed-{at}")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    following = SegmentFolder(root, b"c" * 16, 3 * size)
    following.enforce()
    names = {name for name, _ in following.segments()}
    files = list(root.glob("*/*.*"))
    assert f"before-{at}" in names, (at, names)
    assert not [file for file in files if file.suffix == ".new"], (at, files)
    assert sum(file.stat().st_size for file in files) <= 3 * size, (at, files)
    write(following, f"after-{at}")
    if status == 0:
        assert f"killed-{at}" in names
        print("done", at)
        break
"""


def test_who_is_killed_at_any_call_and_in_any_write_leaves_a_folder_that_is_whole(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 8

"""How fast segments are read and checked, beside ``dd`` of as many bytes on the same file system."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.measure import in_turn, progress
from bench.report import Figure
from mlxr.actors.executor.page_files import PageFiles
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.restoring import CHUNK_BYTES
from mlxr.actors.kv.disk.segment import Segment, read_segment
from mlxr.actors.kv.disk.shared_folder import all_files
from mlxr.runtime.messages.executor import RestorePages

WANTED = 0.8
BLOCK = "8M"


def reading(root: Path, repeat: int) -> Iterator[Figure]:
    """Megabytes a second of all that lies in ``root``, which no cache holds."""
    progress("reading beside dd")
    segments = list(found(root))
    whole = root.parent / "as one file"
    with open(whole, "wb") as one:
        for path, _ in segments:
            one.write(path.read_bytes())
        one.flush()
        os.fsync(one.fileno())
    size = whole.stat().st_size
    paths = [path for path, _ in segments]
    sides = {"ours": partial(ours, root, segments, size), "dd": partial(dd, whole, size)}

    def cold(side: str) -> float:
        for path in (*paths, whole):
            forget(path)
        return sides[side]()

    rates = in_turn({side: partial(cold, side) for side in sides}, repeat)
    yield Figure(f"reading {size / 1e6:,.0f} MB, beside dd, nothing cached", rates["ours"], "MB/s", WANTED, rates["dd"])
    warm = in_turn(sides, repeat)
    yield Figure("reading the same, beside dd, cached by the system", warm["ours"], "MB/s", None, warm["dd"])
    whole.unlink()


def found(root: Path) -> Iterator[tuple[Path, Segment]]:
    for file in sorted(all_files(root), key=lambda file: file.used):
        with open(file.path, "rb") as opened:
            yield file.path, read_segment(opened.fileno())


def forget(path: Path) -> None:
    """Has the system keep nothing of a file in memory."""
    with open(path, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ours(root: Path, segments: list[tuple[Path, Segment]], size: int) -> float:
    """Reads as an executor does: in chunks, each page with its checksum."""
    read = threading.Event()
    contents = segments[0][1].contents
    sizes = [0] * (1 + max(segment.group for _, segment in segments))
    for _, segment in segments:
        sizes[segment.group] = segment.page_bytes
    files = PageFiles(SegmentFolder(root, contents, 1 << 50), contents, sizes, 0, lambda _: None, read.set)
    commands = [command for path, segment in segments for command in chunks(path, segment)]
    files.start()
    try:
        began, done = time.perf_counter(), 0
        for command in commands:
            files.read(command)
        while done < len(commands):
            read.wait()
            read.clear()
            while (answer := files.done()) is not None:
                assert answer.good == [True] * len(answer.command.pages), "a page is not as it was written"
                files.free(answer)
                done += 1
        return size / 1e6 / (time.perf_counter() - began)
    finally:
        files.stop()


def chunks(path: Path, segment: Segment) -> Iterator[RestorePages]:
    pages = max(1, CHUNK_BYTES // segment.page_bytes)
    addresses = [page.address for page in segment.pages]
    for first in range(0, len(addresses), pages):
        part = addresses[first : first + pages]
        yield RestorePages(0, 0, path.stem, segment.group, first, list(range(len(part))), part)


def dd(path: Path, size: int) -> float:
    command = ["dd", f"if={path}", "of=/dev/null", f"bs={BLOCK}"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return size / 1e6 / (time.perf_counter() - began)

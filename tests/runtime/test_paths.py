"""Where mlxr keeps things."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from mlxr.runtime import paths
from mlxr.runtime.errors import StartError
from mlxr.runtime.paths import Home, fits_socket_path

COUNT = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for number in sys.stdin:
    database.execute("UPDATE counter SET value = ?", (int(number),))
    print("written", flush=True)
"""


def test_a_deep_directory_does_not_fit_a_socket_path() -> None:
    assert fits_socket_path(Path("/run/mlxr"))
    assert not fits_socket_path(Path("/" + "x" * 90))


def test_a_home_too_deep_for_sockets_has_its_run_directory_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    deep = Home(tmp_path / ("x" * 100))
    assert fits_socket_path(deep.run)
    assert deep.run == Home(deep.root).run != Home(tmp_path / ("y" * 100)).run


def test_a_read_only_home_has_its_run_directory_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    short = Home(Path("/home"))
    assert short.run == Path("/home/run")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert short.run.parent == Path("/tmp")


def test_a_home_that_is_kept_from_us_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Home.find({"MLXR_HOME": str(tmp_path)}).root == tmp_path.resolve()
    # To root, nothing is kept from it.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(StartError, match=r"can't look into .*; set MLXR_HOME to a folder of yours"):
        Home.find({"MLXR_HOME": str(tmp_path)})
    assert Home.find({"MLXR_HOME": str(tmp_path / "none")}).root.name == "none"


def test_a_stamp_of_files_just_written_equals_no_other(tmp_path: Path) -> None:
    """A reader who comes while SQLite waits for the disk reads what was before, from files that look changed."""
    home = Home(tmp_path)
    home.database.write_bytes(b"catalogue")
    assert home.stamp() != home.stamp()
    os.utime(home.database, (1, 1))
    assert home.stamp() == home.stamp()


def test_a_file_system_that_keeps_whole_seconds_may_hide_a_change_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SETTLED_SECONDS", 1000)
    home = Home(tmp_path)
    home.database.write_bytes(b"catalogue")
    second = 1_000_000_000
    written = (time.time_ns() // second - 100) * second
    os.utime(home.database, ns=(written, written))
    assert home.stamp(alone=True) != home.state()
    os.utime(home.database, ns=(written, written + 1000))
    assert home.stamp(alone=True) == home.state()


def test_what_a_stamp_was_taken_of_is_never_older_than_what_was_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with closing(sqlite3.connect(home.database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE counter AS SELECT 0 AS value")
    done = threading.Event()
    believed = ("", -1)

    def follow() -> None:
        nonlocal believed
        with closing(sqlite3.connect(home.database)) as reader:
            while not done.is_set():
                if believed[0] != home.stamp():
                    stamp = home.stamp()
                    believed = stamp, reader.execute("SELECT value FROM counter").fetchone()[0]

    follower = threading.Thread(target=follow)
    follower.start()
    command = [sys.executable, "-c", COUNT, str(home.database)]
    stale: list[int] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        for number in range(1, 51):
            print(number, file=other.stdin, flush=True)
            assert other.stdout is not None
            assert other.stdout.readline() == "written\n"
            time.sleep(0.002)  # in which the follower takes a stamp once more, should it need one
            stamp, value = believed
            if value != number and stamp == home.stamp():
                stale.append(number)
        other.communicate()
    done.set()
    follower.join()
    assert stale == []

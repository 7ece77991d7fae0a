"""The history on disk, in real SQLite files."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlxr.actors.monitor import store as store_module
from mlxr.actors.monitor.points import Point
from mlxr.actors.monitor.store import Store
from mlxr.actors.monitor.tiers import Closed

NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mlxr")
    logging.getLogger("mlxr").propagate = True


def point(t: int) -> Point:
    return Point(t, 1.0, {"steps": 2.0}, {"open": 1.0}, {}, [(0.1, 3)], [(0.2, 4)])


def keep(home: Path, *points: Closed) -> None:
    store = Store(home)
    store.open(NOW)
    store.write(list(points), NOW)
    store.close()


def test_points_survive_and_those_that_are_too_old_do_not(tmp_path: Path) -> None:
    fresh, old = Closed(1, point(int(NOW) - 5)), Closed(1, point(int(NOW) - 700))
    keep(tmp_path, fresh, old, Closed(60, point(int(NOW) - 700)))
    found = Store(tmp_path).open(NOW)
    assert found == {1: [fresh.point], 10: [], 60: [point(int(NOW) - 700)]}


def test_two_servers_of_a_home_do_not_mix_their_points(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = Store(tmp_path), Store(tmp_path)
    first.open(NOW)
    assert second.open(NOW) == {}
    second.write([Closed(1, point(int(NOW)))], NOW)
    first.close()
    assert Store(tmp_path).open(NOW)[1] == []
    assert "another server" in caplog.text


@pytest.mark.parametrize("harm", ["text", "torn", "blob", "table"])
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path, *(Closed(1, point(int(NOW) - ago)) for ago in range(300)))
    path = tmp_path / "metrics.sqlite"
    match harm:
        case "text":
            path.write_bytes(b"no database at all, but something else entirely" * 100)
        case "torn":
            whole = path.read_bytes()
            path.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
        case "blob":
            with closing(sqlite3.connect(path)) as database, database:
                database.execute("UPDATE points SET body = x'00ff'")
        case "table":
            with closing(sqlite3.connect(path)) as database, database:
                database.execute("DROP TABLE points")
                database.execute("CREATE TABLE points (other TEXT)")
    store = Store(tmp_path)
    assert store.open(NOW) == {1: [], 10: [], 60: []}
    assert "is damaged" in caplog.text
    assert len([found for found in tmp_path.iterdir() if ".damaged-" in found.name and found.suffix != "-wal"]) >= 1
    store.write([Closed(1, point(int(NOW)))], NOW)
    store.close()
    assert Store(tmp_path).open(NOW)[1] == [point(int(NOW))]


def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path, Closed(1, point(int(NOW))))
    with closing(sqlite3.connect(tmp_path / "metrics.sqlite")) as database, database:
        database.execute("PRAGMA user_version = 99")
    store = Store(tmp_path)
    assert store.open(NOW) == {}
    store.write([Closed(1, point(1))], NOW)
    store.close()
    with closing(sqlite3.connect(tmp_path / "metrics.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM points").fetchone() == (1,)
    assert "newer mlxr" in caplog.text


def test_a_full_file_or_no_folder_is_said_once_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "MOST_PAGES", 4)
    full = Store(tmp_path)
    full.open(NOW)
    for start in range(0, 600, 100):
        full.write([Closed(1, point(int(NOW) - ago)) for ago in range(start, start + 100)], NOW)
    full.close()
    assert (tmp_path / "metrics.sqlite").stat().st_size <= 4 * 4096
    assert caplog.text.count("can't keep the history") == 1
    assert Store(tmp_path / "nowhere").open(NOW) == {}
    assert "No such file" in caplog.text

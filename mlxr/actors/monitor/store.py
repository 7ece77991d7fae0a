"""The history on disk: ``HOME/metrics.sqlite``, bounded in bytes. Runs on a thread of its own; never stops a server.

One server of a home keeps it, by a lock; others remember theirs until they end. A damaged file is set aside, and said;
a full disk or a read-only home is said once, and then nothing is kept.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import msgspec

from mlxr.actors.monitor.points import Point
from mlxr.actors.monitor.tiers import Closed
from mlxr.api.monitor import RESOLUTIONS
from mlxr.runtime.sqlite_files import is_damage, set_aside

log = logging.getLogger("mlxr.monitor")

VERSION: Final = 1
MOST_PAGES: Final = 4096
"""Of SQLite, 4 KiB each; a day takes some 2 MB."""

_TABLE = """
CREATE TABLE IF NOT EXISTS points (
    resolution INTEGER NOT NULL, t INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (resolution, t)
) WITHOUT ROWID
"""


class Store:
    """Owns the file and its lock. Not for several threads at once."""

    def __init__(self, home: Path) -> None:
        self.path = home / "metrics.sqlite"
        self._database: sqlite3.Connection | None = None
        self._lock = -1
        self._complained = False
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Point).decode

    def open(self, now: float) -> dict[int, list[Point]]:
        """Returns what is kept of the time that each resolution is kept for, the oldest first."""
        try:
            self._lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another server keeps the metrics of this home; this one's end with it")
            return {}
        except OSError as error:
            self._complain(error)
            return {}
        try:
            return self._read(now)
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            if isinstance(error, sqlite3.Error) and not is_damage(error):
                self._complain(error)
                return {}
            return self._renew(error, now)

    def write(self, points: list[Closed], now: float) -> None:
        """Keeps ``points``, and forgets what is too old."""
        if self._database is None:
            return
        rows = [(resolution, point.t, self._encode(point)) for resolution, point in points]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", rows)
                for resolution, seconds in RESOLUTIONS.items():
                    old = (resolution, int(now) - seconds)
                    self._database.execute("DELETE FROM points WHERE resolution = ? AND t < ?", old)
        except sqlite3.Error as error:
            self._complain(error)

    def close(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _read(self, now: float) -> dict[int, list[Point]]:
        """Raises ``sqlite3.Error`` and ``msgspec.MsgspecError``."""
        database = sqlite3.connect(self.path, check_same_thread=False)
        try:
            os.chmod(self.path, 0o600)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA max_page_count = {MOST_PAGES}")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                log.warning("%s is of a newer mlxr; metrics are not kept", self.path)
                database.close()
                return {}
            database.execute(_TABLE)
            database.execute(f"PRAGMA user_version = {VERSION}")
            found = {resolution: self._points(database, resolution, now) for resolution in RESOLUTIONS}
        except BaseException:
            database.close()
            raise
        self._database = database
        return found

    def _points(self, database: sqlite3.Connection, resolution: int, now: float) -> list[Point]:
        since = (resolution, int(now) - RESOLUTIONS[resolution], int(now))
        query = "SELECT body FROM points WHERE resolution = ? AND t BETWEEN ? AND ? ORDER BY t"
        with closing(database.execute(query, since)) as rows:
            return [self._decode(body) for (body,) in rows]

    def _renew(self, error: Exception, now: float) -> dict[int, list[Point]]:
        """Begins a new file in place of a damaged one, which is kept beside it."""
        try:
            aside = set_aside(self.path)
            log.warning("the history of metrics is damaged (%s); it is kept as %s", error, aside)
            return self._read(now)
        except (sqlite3.Error, OSError) as again:
            self._complain(again)
            return {}

    def _complain(self, error: Exception) -> None:
        """Says once that nothing is kept."""
        if not self._complained:
            self._complained = True
            reason = error.strerror if isinstance(error, OSError) else error
            log.warning("can't keep the history of metrics in %s: %s", self.path, reason)

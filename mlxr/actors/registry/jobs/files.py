"""Where jobs outlive their server: ``MLXR_HOME/jobs``, a file each, written whole by the server whose job it is."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from mlxr.actors.registry.jobs.record import JobRecord
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import live

log = logging.getLogger("mlxr.registry")


class JobFiles:
    """Blocking: for a worker thread.

    home: where they lie.
    writable: whether they can be kept; else they are forgotten with the server.
    server: the name of this one's run directory.
    """

    def __init__(self, home: Home, writable: bool, server: str) -> None:
        self._home = home
        self._writable = writable
        self.server = server

    def read(self) -> list[JobRecord]:
        """Returns what servers have left that run no more, and this one before; a file that is none is left alone."""
        running = {path.name for path in live(self._home.run)} if self._home.run.is_dir() else set()
        found: list[JobRecord] = []
        for path in sorted(self._home.jobs.glob("*.json")):
            try:
                record = msgspec.json.decode(path.read_bytes(), type=JobRecord)
            except (OSError, msgspec.DecodeError) as error:
                log.warning("can't read the job in %s: %s", path, error)
                continue
            if record.server not in running - {self.server}:
                found.append(record)
        return found

    def write(self, record: JobRecord) -> None:
        if not self._writable:
            return
        path = self._path(record.job.id)
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(record))
            os.replace(fresh, path)
        except OSError as error:
            # A full disk is no reason not to work.
            log.warning("can't note in %s how a job stands: %s", path, error)

    def remove(self, id: str) -> None:
        if self._writable:
            self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._home.jobs / f"{id}.json"

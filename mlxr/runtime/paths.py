"""Where mlxr keeps things: ``MLXR_HOME``, or the platform's own data directory.

HOME/models/          model files, by content
HOME/registry.sqlite  the catalogue
HOME/metrics.sqlite   what servers measured in the last 24 hours
HOME/chats.sqlite     the chats of the web application
HOME/run/PID/         sockets of one running server, gone when it is
HOME/jobs/            long work of servers, a file each: how it stands, and what it takes to do it again
HOME/kv/              pages of conversations, for their next turns
HOME/speculation/     what steps take of each model here, for the choice of how much is drafted
HOME/logs/            what servers had to say (``mlxr logs``)
HOME/checks/          which of the GPU's kernels compute rightly, and those that were compiled
HOME/machine.json     what backends compute with here, and how fast
HOME/needs.json       how much memory the models take that were loaded last
HOME/config.toml      the user's configuration, if any
HOME/models.d/        what the user says of models by name, a file each, if any
HOME/history          what was typed in `mlxr run`
HOME/profile.json     what was set up in the web application: servers of tools
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from mlxr.runtime import log_file
from mlxr.runtime.errors import StartError

log = logging.getLogger("mlxr")

SOCKET_PATH_LIMIT = 100
"""Bytes a Unix socket's path may have (104 on macOS, 108 on Linux), with room for the terminator."""

DATABASE = "registry.sqlite"

TICK_SECONDS = 0.05
"""How long after a change another may leave a file's time as it is: what the clocks of file systems take to go on.
Where they go on by whole seconds, that is ``SETTLED_SECONDS``."""

SETTLED_SECONDS = 2
"""How long after its bytes were written a change of the catalogue is seen by every reader: what a disk takes."""


_SECOND = 1_000_000_000  # in nanoseconds


@dataclass(frozen=True, slots=True)
class Home:
    """The directories under one ``MLXR_HOME``."""

    root: Path

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Home:
        """Returns ``MLXR_HOME`` if set, else the user's data directory (platformdirs). Raises ``StartError``, also for
        one that somebody else keeps to themselves."""
        chosen = environment.get("MLXR_HOME")
        try:
            home = cls(Path(chosen).expanduser().resolve() if chosen else platformdirs.user_data_path("mlxr"))
        except (RuntimeError, OSError) as error:
            raise StartError(f"MLXR_HOME is {chosen!r}, which leads nowhere: {error}") from error
        if not _open_to_us(home.root):
            raise StartError(f"can't look into {home.root}, which is kept from you; set MLXR_HOME to a folder of yours")
        return home

    def make(self) -> None:
        """Makes the root if it isn't there, its owner's alone in any case; raises ``OSError``. What others share, such
        as a home directory, is left as it is, with a warning."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = self.root.stat()
        if not stat.S_IMODE(status.st_mode) & 0o077:
            return
        shared = status.st_mode & stat.S_ISVTX or self.root in (Path("/"), Path.home())
        if shared or status.st_uid != os.geteuid():
            log.warning("others may read %s; a directory of your own in MLXR_HOME keeps models private", self.root)
        else:
            self.root.chmod(0o700)
            log.info("%s was open to others, and is now yours alone", self.root)

    def writable(self) -> bool:
        """Tells whether models can be added: not where the home, or the catalogue in it, is read-only."""
        if not self.root.exists():
            return True
        there = [self.root, *(path for path in (self.database,) if path.exists())]
        return all(os.access(path, os.W_OK) for path in there)

    def state(self) -> str:
        """Returns what the system says of the catalogue's files: it changes when somebody changes the catalogue."""
        return _said(self._stamps())

    def stamp(self, *, alone: bool = False) -> str:
        """Returns ``state`` for who reads the catalogue behind it, to see by it later whether that still holds.

        Readers see a change a while after its bytes were written (SQLite waits for the disk in between), so who reads
        at once may read what was before. A stamp of files written within ``SETTLED_SECONDS`` therefore equals no
        state. ``alone``: no process is just changing the catalogue, so that a moment is enough (``TICK_SECONDS``).
        """
        stamps = self._stamps()
        now, said = time.time_ns(), _said(stamps)
        recent = any(now - written < _unsettled_seconds(written, alone) * _SECOND for _, written in stamps)
        return f"{said} {os.urandom(8).hex()}" if recent else said

    def _stamps(self) -> list[tuple[str, int]]:
        """Returns ``_stamp`` of each of the catalogue's files."""
        database = f"{self.root}/{DATABASE}"  # Each request asks, and a path takes longer to make than to look at.
        return [_stamp(path) for path in (database, f"{database}-wal")]

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def kv(self) -> Path:
        """Pages of conversations, for their next turns."""
        return self.root / "kv"

    @property
    def speculation(self) -> Path:
        """What was learned of speculation, a file for each model and device."""
        return self.root / "speculation"

    @property
    def jobs(self) -> Path:
        """Long work of servers, a file each."""
        return self.root / "jobs"

    @property
    def checks(self) -> Path:
        """What was found of this machine's devices."""
        return self.root / "checks"

    @property
    def log(self) -> Path:
        """The log file of every server here; older ones lie beside it."""
        return self.root / "logs" / log_file.NAME

    @property
    def machine(self) -> Path:
        """What was measured of this machine."""
        return self.root / "machine.json"

    @property
    def needs(self) -> Path:
        """What was worked out of the memory that loads need."""
        return self.root / "needs.json"

    @property
    def database(self) -> Path:
        return self.root / DATABASE

    @property
    def chats(self) -> Path:
        """The chats of the web application, in SQLite."""
        return self.root / "chats.sqlite"

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def models_d(self) -> Path:
        return self.root / "models.d"

    @property
    def history(self) -> Path:
        """What was typed in chats."""
        return self.root / "history"

    @property
    def profile(self) -> Path:
        """What was set up in the web application."""
        return self.root / "profile.json"

    @property
    def run(self) -> Path:
        """Parent of run directories. A home that is read-only or too deep for Unix sockets gets one in the system's
        temporary directory, which ``rundir`` checks for what others may have put there."""
        preferred = self.root / "run"
        if fits_socket_path(preferred / "4194304") and _writable(preferred):
            return preferred
        # Both take a while to load, and are seldom needed.
        import hashlib
        import tempfile

        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"mlxr-{os.getuid()}-{digest}"


def _writable(path: Path) -> bool:
    """Tells whether ``path`` can be written to, or made."""
    nearest = next((above for above in (path, *path.parents) if above.exists()), path)
    return os.access(nearest, os.W_OK)


def _open_to_us(path: Path) -> bool:
    """Tells whether we may look into ``path``; what is not there, or no folder, others complain of."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode) or os.access(path, os.R_OK | os.X_OK)
    except PermissionError:
        return False
    except OSError:
        return True


def _unsettled_seconds(written: int, alone: bool) -> float:
    """Returns how long after a file was ``written`` (in nanoseconds since 1970) its stamp may miss a change."""
    return TICK_SECONDS if alone and written % _SECOND else SETTLED_SECONDS


def _said(stamps: list[tuple[str, int]]) -> str:
    return " ".join(text for text, _ in stamps)


def _stamp(path: str) -> tuple[str, int]:
    """Returns what the system says of a file, and when it was last written in nanoseconds since 1970."""
    try:
        status = os.stat(path)
    except OSError:
        return "-", 0
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}", status.st_mtime_ns


def fits_socket_path(directory: Path) -> bool:
    """Tells whether sockets in ``directory`` keep below the system's limit on their paths."""
    return len(os.fsencode(directory)) + 40 <= SOCKET_PATH_LIMIT

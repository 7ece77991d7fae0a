"""The log file of a home: a JSON object a line, bounded in size, written by every process of every server there.

A line is one ``write`` to a file open for appending, so that lines of several processes never mix and stay when the
process that wrote them is killed. A thread writes, since a disk may be busy and a loop must not wait for it. Whoever
finds the file full renames it, under a lock that nobody waits for; others notice that their file has moved and open the
new one.

HOME/logs/mlxr.log     the newest lines
HOME/logs/mlxr.log.1   those before, and so on up to ``keep`` files
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from mlxr.runtime.printable import shortened

NAME = "mlxr.log"

LONGEST = 4_000
LONGEST_TRACEBACK = 40_000
"""Characters of a message, and of an exception."""

CLOSE_SECONDS = 1.0

GATHER_SECONDS = 0.05
"""For so long lines gather behind one that was written. Waking the thread for each would make the loop wait for the
interpreter, just as a request's answer goes out. Warnings are written at once."""

HIDDEN = "***"

_SECRET = re.compile(r"(?i)\b(bearer\s+|hf_|sk-|api[-_]?key[\"']?\s*[=:]\s*[\"']?)([A-Za-z0-9._~+/-]{8,})")
"""What looks like a key or a token, wherever it comes from."""


class LogFileSettings(Struct, frozen=True):
    """Where a process logs besides stderr.

    path: the newest file.
    max_bytes: it is renamed before it grows past them.
    keep: how many older files stay.
    """

    path: str
    max_bytes: int
    keep: int


class LogEntry(Struct, frozen=True, omit_defaults=True):
    """One line.

    t: seconds since 1970.
    level: debug, info, warning, error or critical.
    logger: which part of the program says it.
    message: what it says.
    actor: who says it, such as ``executor.1``, where the process is one actor's.
    pid: its process.
    request: the number of the request it is about.
    request_id: what the client knows that request by (``X-Request-Id``).
    traceback: of an exception.
    """

    t: float
    level: str
    logger: str
    message: str
    actor: str = ""
    pid: int = 0
    request: int = 0
    request_id: str = ""
    traceback: str = ""


class LogFileHandler(logging.Handler):
    """Appends each record to the file. ``actor``: whose process this is. ``hide``: texts that never get into it.

    A file that can't be written to is said once on stderr: a full disk is no reason not to serve.
    """

    def __init__(self, settings: LogFileSettings, actor: str = "", hide: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.settings = settings
        self._actor = actor
        self._hide = [text for text in hide if text]
        self._path = Path(settings.path)
        self._file = -1
        self._complained = False
        self._traceback = logging.Formatter()
        self._urgent: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Of lines that are not to wait for others. No event: its lock would be taken twice by who logs within a
        destructor, which may run anywhere, here too."""
        self._lines: queue.SimpleQueue[bytes | threading.Event | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="log file", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put(msgspec.json.encode(self._entry(record)) + b"\n")
            if record.levelno >= logging.WARNING:
                self._urgent.put(None)
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Returns when all that was logged before is written, or nobody writes any more."""
        written = threading.Event()
        self._lines.put(written)
        self._urgent.put(None)
        while self._writer.is_alive() and not written.wait(0.05):
            pass

    def close(self) -> None:
        """Writes what is left, for a second at most."""
        self._lines.put(None)
        self._urgent.put(None)
        self._writer.join(CLOSE_SECONDS)
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
                continue
            try:
                self._write(line)
            except OSError as error:
                self._complain(error)
            if self._lines.empty():
                self._gather()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _gather(self) -> None:
        """Returns after a moment, or once a line is urgent."""
        with suppress(queue.Empty):
            self._urgent.get(timeout=GATHER_SECONDS)
            while True:
                self._urgent.get_nowait()

    def _write(self, line: bytes) -> None:
        if self._moved():
            self._open()
        if os.fstat(self._file).st_size + len(line) > self.settings.max_bytes:
            self._rotate()
        os.write(self._file, line)

    def _entry(self, record: logging.LogRecord) -> LogEntry:
        trace = self._traceback.formatException(record.exc_info) if record.exc_info else ""
        return LogEntry(
            round(record.created, 6),
            record.levelname.lower(),
            record.name,
            self._clean(shortened(record.getMessage(), LONGEST)),
            self._actor,
            os.getpid(),
            getattr(record, "request", 0),
            getattr(record, "request_id", ""),
            self._clean(shortened(trace, LONGEST_TRACEBACK)) if trace else "",
        )

    def _clean(self, text: str) -> str:
        return without_secrets(text, self._hide)

    def _moved(self) -> bool:
        """Tells whether another process has renamed the file, or somebody removed it, since it was opened."""
        if self._file < 0:
            return True
        try:
            there, ours = os.stat(self._path), os.fstat(self._file)
        except FileNotFoundError:
            return True
        return (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev)

    def _open(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self._path, flags, 0o600)

    def _rotate(self) -> None:
        """Renames the file and opens a new one, unless somebody else is just doing so: then this one grows by a
        line."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not self._moved():
            for number in range(self.settings.keep, 0, -1):
                before = older(self._path, number - 1) if number > 1 else self._path
                with suppress(FileNotFoundError):
                    os.replace(before, older(self._path, number))
            if not self.settings.keep:
                self._path.unlink(missing_ok=True)
        # Closing the old file gives its lock up.
        self._open()

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            sys.stderr.write(f"mlxr: can't write the log {self._path}: {error.strerror}; it goes to stderr alone\n")


def without_secrets(text: str, hide: Sequence[str] = ()) -> str:
    """Returns ``text`` with a mark in place of what is in ``hide``, and of whatever looks like a key or a token."""
    for secret in hide:
        text = text.replace(secret, HIDDEN)
    return _SECRET.sub(rf"\1{HIDDEN}", text).encode("utf-8", "backslashreplace").decode()


def older(path: Path, number: int) -> Path:
    """Returns the name of the ``number``-th file before ``path``."""
    return path.with_name(f"{path.name}.{number}")


def files(path: Path) -> list[Path]:
    """Returns the files there are, the oldest first."""
    numbered = [
        (int(file.suffix[1:]), file) for file in path.parent.glob(f"{path.name}.*") if file.suffix[1:].isdigit()
    ]
    found = [file for _, file in sorted(numbered, reverse=True)]
    return [*found, path] if path.exists() else found


def entries(lines: Iterator[bytes] | list[bytes]) -> Iterator[LogEntry]:
    """Returns the entries in ``lines``. A line that is none, such as what a crash has cut short, is an entry of its
    own with what is there."""
    decoder = msgspec.json.Decoder(LogEntry)
    for line in lines:
        if not (text := line.strip()):
            continue
        try:
            yield decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield LogEntry(0.0, "error", "", shortened(text.decode(errors="replace"), LONGEST))

"""The log file: whole lines of several processes, within bounds, without keys."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

import pytest

from mlxr.runtime.log_file import HIDDEN, LogEntry, LogFileHandler, LogFileSettings, entries, files

WRITER = """
import logging, sys
from mlxr.runtime.log_file import LogFileHandler, LogFileSettings
handler = LogFileHandler(LogFileSettings(sys.argv[1], 20_000, 100), sys.argv[2])
log = logging.getLogger("mlxr.test")
log.addHandler(handler)
for number in range(500):
    log.warning("line %d %s", number, "x" * (number % 90))
handler.flush()
handler.close()
"""


def write(path: Path, *messages: str, max_bytes: int = 10_000, keep: int = 2, hide: tuple[str, ...] = ()) -> None:
    handler = LogFileHandler(LogFileSettings(str(path), max_bytes, keep), "executor/tiny-1", hide)
    for message in messages:
        handler.emit(logging.LogRecord("mlxr.executor", logging.WARNING, "", 0, "%s", (message,), None))
    handler.flush()
    handler.close()


def read(path: Path) -> list[LogEntry]:
    return [entry for file in files(path) for entry in entries(file.read_bytes().splitlines())]


def test_lines_of_several_processes_are_whole_and_none_is_lost_while_files_are_renamed(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "mlxr.log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"actor{number}"]) for number in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    found = read(path)
    for number in range(3):
        mine = [entry.message for entry in found if entry.actor == f"actor{number}"]
        assert mine == [f"line {line} {'x' * (line % 90)}" for line in range(500)]
    assert len(found) == 1500
    assert len(files(path)) > 2


def test_files_stay_within_their_bound_and_the_newest_lines_stay(tmp_path: Path) -> None:
    path = tmp_path / "mlxr.log"
    write(path, *(f"line {number}" for number in range(2000)), max_bytes=5000, keep=2)
    assert [file.name for file in files(path)] == ["mlxr.log.2", "mlxr.log.1", "mlxr.log"]
    assert all(file.stat().st_size <= 5000 for file in files(path))
    assert read(path)[-1].message == "line 1999"


def test_a_file_that_somebody_removes_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "mlxr.log"
    handler = LogFileHandler(LogFileSettings(str(path), 10_000, 1))
    logger = logging.Logger("mlxr")
    logger.addHandler(handler)
    logger.warning("before")
    handler.flush()
    path.unlink()
    logger.warning("after")
    handler.flush()
    handler.close()
    assert read(path)[-1].message == "after"


@pytest.mark.parametrize(
    "text", ["my-key-123456", "Authorization: Bearer abcdefgh1234", "token hf_AbCdEfGhIjKl", "api_key='abcdefghijk'"]
)
def test_keys_do_not_get_into_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mlxr.log"
    write(path, f"it said {text} and more", hide=("my-key-123456",))
    (entry,) = read(path)
    assert HIDDEN in entry.message
    assert entry.message.startswith("it said")
    assert entry.message.endswith("and more")
    for secret in ("my-key-123456", "abcdefgh1234", "AbCdEfGhIjKl", "abcdefghijk"):
        assert secret not in path.read_text()


def test_a_line_may_be_logged_at_any_moment_within_another(tmp_path: Path) -> None:
    """As destructors do, which run wherever the garbage collector does."""
    path = tmp_path / "mlxr.log"
    handler = LogFileHandler(LogFileSettings(str(path), 1_000_000, 1))

    def log(text: str) -> None:
        handler.emit(logging.LogRecord("mlxr.test", logging.WARNING, "", 0, "%s", (text,), None))

    def log_within(moment: int) -> None:
        """Logs a line, and another at its so manieth call of a function."""
        calls = 0

        def called(frame: FrameType, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1
            if calls == moment:
                log(f"within {moment}")

        sys.setprofile(called)
        log(f"line {moment}")
        sys.setprofile(None)

    def log_all() -> None:
        for moment in range(150):
            log_within(moment)

    thread = threading.Thread(target=log_all, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    handler.close()
    found = {entry.message for entry in read(path)}
    assert {f"line {moment}" for moment in range(150)} < found


def test_the_file_is_its_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "mlxr.log"
    write(path, "hello")
    assert path.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_said_once_and_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    write(taken / "mlxr.log", "one", "two")
    assert capsys.readouterr().err.count("can't write the log") == 1


def test_a_line_that_was_cut_short_is_shown_as_it_stands() -> None:
    whole = json.dumps({"t": 1.0, "level": "info", "logger": "mlxr", "message": "hello"}).encode()
    read = list(entries([whole, b'{"t": 2.0, "lev', b"Fatal Python error: Segmentation fault", b""]))
    assert [entry.message for entry in read] == ["hello", '{"t": 2.0, "lev', "Fatal Python error: Segmentation fault"]

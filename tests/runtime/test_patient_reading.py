from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mlxr.runtime import patient_reading
from mlxr.runtime.patient_reading import read_patiently


def test_a_file_and_a_device_are_read_to_their_end_or_the_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"FROM some")
    assert read_patiently(tmp_path / "file", 100) == b"FROM some"
    assert read_patiently(tmp_path / "file", 4) == b"FROM"
    assert read_patiently(Path("/dev/zero"), 1 << 20) == bytes(1 << 20)
    assert read_patiently(Path("/dev/null"), 10) == b""


def test_a_pipe_is_read_as_it_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    goes_on = threading.Event()

    def write() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as opened:
            opened.write(b"one ")
            goes_on.wait(10)
            opened.write(b"two" * 100_000)

    writer = threading.Thread(target=write)
    writer.start()
    threading.Timer(0.2, goes_on.set).start()
    assert read_patiently(tmp_path / "pipe", 1 << 20) == b"one " + b"two" * 100_000
    writer.join()


def test_a_pipe_that_nobody_writes_into_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_reading, "SILENT_SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nothing was written into this pipe"):
        read_patiently(tmp_path / "pipe", 100)

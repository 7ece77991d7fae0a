"""What ``mlxr doctor`` says of pages on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlxr.actors.executor.pool_files import file
from mlxr.actors.executor.settings import KVSection
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.cli.checks.finding import Finding, Level
from mlxr.cli.checks.pages import LITTLE, on_disk
from mlxr.runtime.paths import Home

MANY = 1 << 50


def found(tmp_path: Path, **settings: object) -> Finding:
    return on_disk(Home(tmp_path / "home"), KVSection(**settings))  # type: ignore[arg-type]


def test_what_is_kept_and_what_may_be_is_told(tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path / "home" / "kv", b"c" * 16, MANY)
    file, _ = folder.create("a", 5_000_000)
    folder.finish("a", file)
    finding = found(tmp_path, disk_bytes=LITTLE)
    assert (finding.level, finding.mend) == (Level.OK, "")
    assert finding.text.startswith(f"5.0 MB of 268.4 MB in {tmp_path}/home/kv, ")


def test_nothing_need_be_there_yet(tmp_path: Path) -> None:
    assert found(tmp_path, disk_bytes=LITTLE).level == Level.OK
    assert not (tmp_path / "home").exists()


def test_what_keeps_pages_from_the_disk_is_told_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "config set kv.disk true" in found(tmp_path, disk=False).mend
    small = found(tmp_path, disk_bytes=1000)
    assert (small.level, "too little" in small.text, "kv.disk_bytes" in small.mend) == (Level.WARN, True, True)
    assert "will be full before" in found(tmp_path, disk_bytes=MANY).text
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1000, 1000, 0))  # type: ignore[attr-defined]
    assert "make room" in found(tmp_path).mend
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    assert "is no folder" in found(tmp_path, disk_path=str(tmp_path / "file")).text
    assert "is no folder" in found(tmp_path, disk_path=str(tmp_path / "file" / "within")).text
    unknown = found(tmp_path, disk_path="~nobody-of-that-name/kv")
    assert (unknown.level, "kv.disk_path" in unknown.mend) == (Level.WARN, True)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "others on this machine" in found(tmp_path, disk_path=str(tmp_path / "open")).text
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: "mine" not in str(path))
    refused = found(tmp_path, disk_path=str(tmp_path / "mine"))
    assert (refused.level, refused.mend.startswith("chmod u+rwx")) == (Level.WARN, True)


def test_memory_that_a_killed_server_left_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "FOLDER", tmp_path)
    left = file.PoolFile(file.pool_path(tmp_path / "home" / "kv", b"c" * 16), b"c" * 16)
    left.lay_out([4], 1 << 20)
    assert found(tmp_path, disk_bytes=LITTLE).level == Level.OK  # somebody has it
    left.close()
    told = found(tmp_path, disk_bytes=LITTLE)
    assert (told.level, "of memory are kept" in told.text, told.mend[:15]) == (Level.WARN, True, "mlxr gc --pages")

"""Faults of a machine, made in folders that stand for its ``/``."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlxr.cli.checks import machine
from mlxr.cli.checks.finding import Finding, Level


@pytest.mark.parametrize(("free", "level"), [(10**8, "error"), (10**9, "warn"), (10**10, "ok")])
def test_memory_that_is_low_or_gone(free: int, level: str) -> None:
    assert machine.memory(free).level == level


@pytest.mark.parametrize(("free", "level"), [(10**8, "error"), (10**9, "warn"), (10**11, "ok")])
def test_a_disk_that_is_nearly_full(tmp_path: Path, free: int, level: str) -> None:
    assert machine.disk(tmp_path / "not" / "there", free).level == level


def test_a_disk_is_asked_about_where_the_home_will_be(tmp_path: Path) -> None:
    assert str(tmp_path) in machine.disk(tmp_path / "not" / "there").text


@pytest.mark.parametrize("file", machine.CGROUP_LIMITS)
def test_a_control_group_that_is_too_small_for_a_model(tmp_path: Path, file: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("2000000000\n")
    found = machine.control_group([("small", 10**9), ("large", 5 * 10**9)], tmp_path)
    assert found.level == Level.ERROR
    assert "large" in found.text
    assert "small" not in found.text
    assert machine.control_group([("small", 10**9)], tmp_path).level == Level.OK


@pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n"])
def test_a_control_group_without_a_limit(tmp_path: Path, text: str) -> None:
    (tmp_path / machine.CGROUP_LIMITS[0]).parent.mkdir(parents=True)
    (tmp_path / machine.CGROUP_LIMITS[0]).write_text(text)
    assert machine.control_group([("large", 10**12)], tmp_path).level == Level.OK


@pytest.mark.parametrize(("text", "level"), [("always madvise [never]", "warn"), ("always [madvise] never", "ok")])
def test_huge_pages_that_are_off(tmp_path: Path, text: str, level: str) -> None:
    (tmp_path / machine.HUGE_PAGES).parent.mkdir(parents=True)
    (tmp_path / machine.HUGE_PAGES).write_text(text)
    found = machine.huge_pages(tmp_path)
    assert found.level == level
    assert machine.huge_pages(tmp_path / "elsewhere").level == Level.OK


def test_a_clock_that_is_behind(tmp_path: Path) -> None:
    file = tmp_path / "mlxr.py"
    file.touch()
    now = file.stat().st_mtime
    assert machine.clock(now, file).level == Level.OK
    found = machine.clock(now - 400 * 86400, file)
    assert found.level == Level.ERROR
    assert "TLS" in found.text


def test_too_few_open_files_are_found_in_a_process_that_has_few() -> None:
    code = "from mlxr.cli.checks.machine import descriptors; found = descriptors(); print(found.level, found.mend)"

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=few, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("warn ulimit -Hn")
    assert machine.descriptors().level == Level.OK


def taken(port: int, ours: list[str]) -> Finding:
    return machine.port("127.0.0.1", port, ours)


def test_a_port_that_is_taken_names_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        found = taken(number, [])
        assert found.level == Level.ERROR
        assert f"pid {os.getpid()}" in found.text
        assert str(number + 1) in found.mend
        assert taken(number, [f"http://127.0.0.1:{number}"]).level == Level.OK
    assert taken(number, []).level == Level.OK
    assert taken(0, []).level == Level.OK

"""Actors' own processes, as the supervisor starts them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from mlxr.runtime.first_processes import Prepare
from mlxr.runtime.host import STOP, UNLOADABLE, Assignment

KV = "mlxr.actors.kv.actor:KVActor"


def started_ahead(run: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-m", "mlxr.runtime.host", "ahead"], stdin=subprocess.PIPE)
    order(process, Prepare(KV, str(run)))
    return process


def order(process: subprocess.Popen[bytes], what: Prepare | Assignment) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(what) + b"\n")
    process.stdin.flush()


def test_a_process_started_ahead_becomes_what_it_is_assigned(tmp_path: Path) -> None:
    process = started_ahead(tmp_path)
    socket = tmp_path / "kv@x.sock"
    try:
        order(process, Assignment(KV, "kv/x", str(tmp_path)))
        deadline = time.monotonic() + 30
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert socket.exists()
        assert process.stdin is not None
        process.stdin.write(STOP)
        process.stdin.flush()
        assert process.wait(30) == 0
        assert not socket.exists()
    finally:
        process.kill()
        process.communicate()


def test_a_process_started_ahead_of_a_parent_that_dies_ends_and_clears_the_run_directory(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    process = started_ahead(run)
    process.communicate()
    assert process.returncode == 0
    assert not run.exists()


def test_a_process_whose_parent_ends_before_it_says_anything_ends_without_a_word() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mlxr.runtime.host", "ahead"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, said = process.communicate(b'{"type":"Prep')
    assert (process.returncode, said) == (0, b"")


def test_a_process_whose_actor_does_not_load_ends_with_a_status_of_its_own_and_one_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mlxr.runtime.host", "kv/x"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    order(process, Prepare("no_such_library:Actor", str(tmp_path)))
    order(process, Assignment("no_such_library:Actor", "kv/x", str(tmp_path)))
    _, said = process.communicate()
    assert process.returncode == UNLOADABLE
    (line,) = said.decode().splitlines()
    assert "kv/x can't run here: No module named 'no_such_library'" in line

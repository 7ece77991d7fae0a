"""Processes of actors that were started before there was a loop."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import pytest

from mlxr.runtime import actor_process
from mlxr.runtime.actor_process import ActorProcess, open_process, send_order
from mlxr.runtime.first_processes import Prepare


def ended() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["false"], stdin=subprocess.PIPE, bufsize=0)
    process.wait()
    return process


async def test_one_that_ended_before_it_was_told_anything_is_missed_when_it_is_wanted(tmp_path: Path) -> None:
    async with ActorProcess(ended()) as started:
        with pytest.raises(anyio.BrokenResourceError):
            await send_order(started, Prepare("some:Actor", str(tmp_path)))
        assert await started.wait() == 1


async def test_what_a_user_has_told_glibc_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"
    shell = ["sh", "-c", f'echo "$MALLOC_MMAP_THRESHOLD_ $MALLOC_TRIM_THRESHOLD_" > "{said}"']
    monkeypatch.setattr(actor_process, "host_command", lambda label: shell)
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1048576")
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    async with await open_process("executor", "") as process:
        await process.wait()
    assert said.read_text() == "1048576 262144\n"

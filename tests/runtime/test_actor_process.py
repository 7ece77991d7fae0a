"""Processes of actors that were started before there was a loop."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import pytest

from mlxr.runtime.actor_process import ActorProcess, send_order
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

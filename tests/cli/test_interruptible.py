"""Ctrl-C ends a command at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from mlxr.cli import interruptible
from tests.cli.commands import COMMAND, environment


async def done() -> int:
    return 1


async def interrupted_at_its_end() -> int:
    # As by a Ctrl-C while something is closed, which takes the cancellation for its own.
    os.kill(os.getpid(), signal.SIGINT)
    with suppress(asyncio.CancelledError):
        await anyio.sleep(5)
    return 1


def test_an_interruption_that_the_works_end_swallows_is_one() -> None:
    assert interruptible.run(done) == 1
    # What a shell runs in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interruptible.run(interrupted_at_its_end)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("module", ["typer._click.core", "mlxr.runtime.errors"])
def test_a_command_that_is_just_being_loaded_is_ended_without_a_word(tmp_path: Path, module: str) -> None:
    loading = ["-X", "importtime", str(COMMAND), "config"]
    command = subprocess.Popen(
        [str(COMMAND.with_name("python")), *loading],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert command.stderr is not None
    for line in command.stderr:
        if line.split("|")[-1].strip() == module:
            break
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=60)
    assert "Traceback" not in errors
    assert command.returncode in (0, 130, -signal.SIGINT)

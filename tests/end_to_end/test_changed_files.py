"""Model files that change while they are served."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models import model_path
from tests.server import Server, serving
from tests.server.processes import command_of


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replaced(path: Path) -> None:
    """By a file that would load."""
    other = path.with_name("other")
    shutil.copyfile(path, other)
    other.replace(path)


def executor_of(server: Server, engine: str) -> int:
    (found,) = [pid for pid in server.actors() if engine in command_of(pid)]
    return found


@pytest.mark.parametrize("change", [cut, replaced])
def test_a_file_that_changes_under_its_engine_costs_that_engine_alone(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "served.gguf"
    shutil.copyfile(model_path("smollm2"), path)
    with serving(tmp_path / "home", "smollm2", "--set", "kv.pool_tokens=4096") as server:
        before = server.actors()
        assert server.chat("hello", model=str(path), max_tokens=2)
        (executor,) = [pid for pid in server.actors() if pid not in before]
        stream = server.stream("Tell me a story.", max_tokens=200, ignore_eos=True)
        next(stream)
        change(path)
        os.kill(executor, signal.SIGKILL)
        body = {"model": str(path), "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
        status, answer = server.request("/v1/chat/completions", body)
        finishes = [choice["finish_reason"] for chunk in stream for choice in chunk["choices"]]
        assert finishes[-1] == "length"
        # A cut file is refused, one that was replaced is loaded for what it is now: never under the old engine.
        assert status in (200, 400, 500, 503), answer
        assert "is given up: " in (log := server.log.read_text())
        assert "was changed while its model was in use" in log

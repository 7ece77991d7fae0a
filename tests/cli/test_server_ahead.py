"""A server that is begun before the command line that asks for it is read."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from mlxr.cli.server_ahead import begin
from mlxr.runtime import exit_status
from mlxr.server import ahead
from tests.cli.commands import COMMAND, environment


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ([], {}),
        (["ps"], {}),
        (["up", "--help"], {}),
        (["up", "--api-key", "secret"], {}),
        (["serve", "--set", "server.api_keys=secret"], {}),
        (["up"], {"MLXR_SERVER_API_KEYS": "secret"}),
    ],
)
def test_none_is_begun_for_other_commands_and_where_keys_would_be_shown_to_others(
    arguments: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a server was begun"))
    assert begin(arguments, variables) is None


def test_where_too_many_processes_run_the_command_itself_becomes_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    first = Mock()
    monkeypatch.setattr(exit_status, "private_files", lambda: None)
    monkeypatch.setattr(ahead, "start", lambda directory, executor: first)
    monkeypatch.setattr(os, "fork", fails)
    before = len(os.listdir("/dev/fd"))
    assert begin(["up"], {}) is None
    assert first.end.called
    assert len(os.listdir("/dev/fd")) == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_server_ends_as_its_command_line_does_and_leaves_nothing_behind(tmp_path: Path) -> None:
    # Its output is read to the end, which comes once every process has ended.
    ended = subprocess.run(
        [str(COMMAND), "up", "--set", "executor.no_such_key=1"],
        env=environment(tmp_path / "home"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        # As some who start services leave it to them.
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert ended.returncode == 2
    assert ended.stderr.count("mlxr: ") == 1
    assert not [*(tmp_path / "home").glob("run/*")]

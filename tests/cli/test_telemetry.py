"""Which server ``mlxr telemetry`` reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.cli.telemetry import find_endpoint
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import TELEMETRY, RunDirectory, write_addresses


def test_of_several_servers_the_one_that_is_read_is_named_and_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    with RunDirectory(home.run) as first:
        write_addresses(first.path, ["http://127.0.0.1:1"])
        (first.path / TELEMETRY).write_text("ipc://first")
        assert find_endpoint(home) == "ipc://first"
        assert capsys.readouterr().err == ""
        monkeypatch.setattr("os.getpid", lambda: 1)
        with RunDirectory(home.run) as second:
            (second.path / TELEMETRY).write_text("ipc://second")
            found = find_endpoint(home)
            said = capsys.readouterr().err
    (other,) = {"ipc://first", "ipc://second"} - {found}
    assert f"--endpoint {other}" in said
    assert "http://127.0.0.1:1" in said

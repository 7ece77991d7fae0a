"""Where mlxr keeps things."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.runtime.paths import Home, fits_socket_path


def test_a_deep_directory_does_not_fit_a_socket_path() -> None:
    assert fits_socket_path(Path("/run/mlxr"))
    assert not fits_socket_path(Path("/" + "x" * 90))


def test_a_home_too_deep_for_sockets_has_its_run_directory_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    deep = Home(tmp_path / ("x" * 100))
    assert fits_socket_path(deep.run)
    assert deep.run == Home(deep.root).run != Home(tmp_path / ("y" * 100)).run


def test_a_read_only_home_has_its_run_directory_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    short = Home(Path("/home"))
    assert short.run == Path("/home/run")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert short.run.parent == Path("/tmp")

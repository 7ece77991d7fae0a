"""Faults of a home."""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlxr.cli.checks import home as checks
from mlxr.cli.checks.finding import Level
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import RunDirectory


@pytest.fixture
def home(tmp_path: Path) -> Home:
    root = tmp_path / "home"
    root.mkdir(mode=0o700)
    return Home(root)


def test_a_home_of_another_owner_is_named(home: Home) -> None:
    found = checks.folder(home, os.geteuid() + 1)
    assert found.level == Level.ERROR
    assert "another user" in found.text
    assert found.mend.startswith("sudo chown")
    assert checks.folder(home, os.geteuid()).level == Level.OK


def test_a_home_that_others_can_look_into_is_named(home: Home) -> None:
    home.root.chmod(0o755)
    found = checks.folder(home, os.geteuid())
    assert (found.level, found.mend) == (Level.WARN, f"chmod 700 {home.root}")


def test_a_home_that_can_not_be_written_to_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # To root, nothing is read-only.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    found = checks.folder(home, os.geteuid())
    assert found.level == Level.ERROR
    assert "read-only" in found.text
    assert checks.folder(Home(home.root / "x"), os.geteuid()).level == Level.ERROR


def test_a_home_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "no folder" in checks.folder(Home(tmp_path / "file"), os.geteuid()).text


def test_a_catalogue_that_can_not_be_read_now_is_not_put_aside(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE models (name TEXT)")
        made.commit()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Files that can't grow are what a full disk has, and one that processes share the catalogue by is needed.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        found = checks.database(home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (found.level, "damaged" in found.text) == (Level.ERROR, False)
    assert not found.mend.startswith("mv")


def test_a_configuration_that_is_wrong_is_named_with_its_line(home: Home) -> None:
    home.config.write_text("[server]\nport = 'x'\n")
    found = checks.configuration(home.config, {})
    assert found.level == Level.ERROR
    assert f"{home.config}:2" in found.text
    assert checks.configuration(None, {"MLXR_SERVER_PORT": "x"}).level == Level.ERROR
    assert checks.configuration(None, {}).level == Level.OK


def test_keys_that_others_can_read_are_named(home: Home) -> None:
    home.config.write_text("[server]\napi_keys = ['one']\n")
    home.config.chmod(0o644)
    found = checks.configuration(home.config, {})
    assert (found.level, found.mend) == (Level.WARN, f"chmod 600 {home.config}")
    home.config.chmod(0o600)
    assert checks.configuration(home.config, {}).level == Level.OK


def test_what_a_killed_server_left_is_named_and_not_what_runs(home: Home) -> None:
    with RunDirectory(home.run) as running:
        stale = home.run / "999999999"
        stale.mkdir()
        (stale / "lock").touch()
        found = checks.run_directories(home)
        assert found.level == Level.WARN
        assert str(stale) in found.mend
        assert str(running.path) not in found.mend
        stale.joinpath("lock").unlink()
        stale.rmdir()
        assert checks.run_directories(home).level == Level.OK
    assert checks.run_directories(home).level == Level.OK


def catalogue(home: Home, *models: tuple[str, str]) -> None:
    """A catalogue with names and the paths of their files."""
    with sqlite3.connect(home.database) as database:
        database.execute("CREATE TABLE blobs (digest TEXT, path TEXT, size INTEGER)")
        database.execute("CREATE TABLE models (name TEXT, digest TEXT)")
        for number, (name, path) in enumerate(models):
            database.execute("INSERT INTO blobs VALUES (?, ?, ?)", (str(number), path, 1000))
            database.execute("INSERT INTO models VALUES (?, ?)", (name, str(number)))
    database.close()


def test_a_catalogue_that_is_damaged_is_named(home: Home) -> None:
    assert checks.database(home).level == Level.OK
    catalogue(home, ("m", "m.gguf"))
    assert checks.database(home).level == Level.OK
    data = bytearray(home.database.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    home.database.write_bytes(data)
    found = checks.database(home)
    assert found.level == Level.ERROR
    assert str(home.database) in found.mend
    home.database.write_bytes(b"no database at all" * 100)
    assert checks.database(home).level == Level.ERROR
    assert checks.known_models(home) is None
    assert checks.model_files(None) == []


def test_a_home_without_a_catalogue_has_no_models_and_says_so(home: Home) -> None:
    (found,) = checks.model_files(checks.known_models(home))
    assert (found.level, found.text) == (Level.OK, "0 in the catalogue, with their files")


def test_models_whose_files_are_gone_are_named_one_by_one(home: Home) -> None:
    (home.root / "models").mkdir()
    (home.models / "here.gguf").touch()
    catalogue(home, ("here", "here.gguf"), ("gone one", "gone.gguf"), ("elsewhere", "/nowhere/at/all.gguf"))
    found = checks.model_files(checks.known_models(home))
    assert [finding.mend for finding in found] == ["mlxr rm 'gone one'", "mlxr rm elsewhere"]
    (only,) = checks.model_files([model for model in checks.known_models(home) or [] if model.name == "here"])
    assert only.level == Level.OK

"""``mlxr gc`` frees what no model needs, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlxr.actors.executor.pool_files import file
from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.actors.kv.disk.shared_folder import all_files
from mlxr.actors.registry.catalogue.files import OutOfSpace
from mlxr.actors.registry.catalogue.store import Store
from mlxr.cli.app import make_app
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf
from tests.cli.commands import mlxr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One model, a file that lost its name, and what a pull left."""
    home = tmp_path / "home"
    tiny_gguf(tmp_path / "tiny.gguf")
    assert mlxr(home, "pull", str(tmp_path / "tiny.gguf")).returncode == 0
    (home / "models/blobs" / f"sha256-{'1' * 64}").write_bytes(b"abc")
    parts = home / "models/partial/pull-x/resumable"
    parts.mkdir(parents=True)
    (parts / "part").write_bytes(b"12345")
    return home


def test_what_no_model_needs_is_listed_and_then_removed(home: Path) -> None:
    before = files_under(home / "models")
    tried = mlxr(home, "gc", "--dry-run")
    assert (tried.returncode, tried.stderr) == (0, "")
    assert "would be freed" in tried.stdout
    assert set(before) <= set(files_under(home / "models"))
    said = json.loads(mlxr(home, "gc", "--json").stdout)
    assert (said["removed"], said["bytes"], len(said["files"])) == (True, 8, 2)
    assert mlxr(home, "gc").stdout == "there is nothing to free\n"
    (left,) = files_under(home / "models")
    assert left.startswith("blobs/sha256-")
    assert json.loads(mlxr(home, "ls", "--json").stdout)[0]["name"] == "tiny"


def test_pages_of_conversations_are_told_of_and_go_only_when_they_are_named(home: Path) -> None:
    folder = SegmentFolder(home / "kv", b"c" * 16, 1 << 30)
    file, _ = folder.create("a", 70_000)
    folder.finish("a", file)
    assert "conversations have 70.0 kB" in mlxr(home, "gc").stderr
    assert "70.0 kB would be freed" in mlxr(home, "gc", "--pages", "--dry-run").stdout
    assert len(all_files(home / "kv")) == 1
    said = json.loads(mlxr(home, "gc", "--pages", "--json").stdout)
    assert (said["bytes"], said["pages"]) == (70_000, {"path": str(home / "kv"), "size": 70_000, "removed": True})
    assert all_files(home / "kv") == []


def test_memory_that_a_killed_server_left_is_told_of_and_goes_with_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(file, "FOLDER", tmp_path)
    pool = file.PoolFile(file.pool_path(tmp_path / "home" / "kv", b"c" * 16), b"c" * 16)
    pool.lay_out([4], 1 << 20)
    pool.close()
    assert "of memory; `mlxr gc --pages` frees that" in CliRunner().invoke(make_app(), ["gc"]).stderr
    assert pool.path.exists()
    freed = CliRunner().invoke(make_app(), ["gc", "--pages"])
    assert (str(pool.path) in freed.stdout, pool.path.exists()) == (True, False)


def test_pages_go_though_the_disk_is_too_full_to_open_the_catalogue(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SegmentFolder(home / "kv", b"c" * 16, 1 << 30)
    file, _ = folder.create("a", 70_000)
    folder.finish("a", file)
    opened = Store.open

    full = False

    async def open(at: Home, *, copy: bool = False) -> Store:
        if full or all_files(at.kv):
            raise OutOfSpace(at.root, 0)
        return await opened(at, copy=copy)

    monkeypatch.setattr(Store, "open", open)
    monkeypatch.setenv("MLXR_HOME", str(home))
    done = CliRunner().invoke(make_app(), ["gc", "--pages", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["pages"]["size"]) == (0, 70_000), done.output
    # Where others have the rest of the disk, it is said what went nevertheless.
    full = True
    file, _ = folder.create("a", 70_000)
    folder.finish("a", file)
    failed = CliRunner().invoke(make_app(), ["gc", "--pages"])
    assert (failed.exit_code, all_files(home / "kv")) == (1, [])
    assert "conversations had 70.0 kB" in failed.stderr


def test_a_folder_of_pages_that_may_not_be_looked_into_is_told_of_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, scan = tmp_path / "home", os.scandir
    (home / "kv").mkdir(parents=True)
    (home / "models/partial/pull-x").mkdir(parents=True)

    def refuse(path: str | Path) -> object:
        if str(path) == str(home / "kv"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setenv("MLXR_HOME", str(home))
    done = CliRunner().invoke(make_app(), ["gc"])
    assert (done.exit_code, "pull-x" in done.stdout) == (0, True), done.output
    assert "kv (kv.disk_path) stay: it can't be looked at (Permission denied)" in done.stderr
    refused = CliRunner().invoke(make_app(), ["gc", "--pages"])
    assert (refused.exit_code, "Permission denied" in refused.stderr) == (1, True)


def test_parts_of_pulls_go_though_the_disk_is_too_full_to_open_the_catalogue(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Store.open

    async def open(at: Home, *, copy: bool = False) -> Store:
        if (at.models / "partial/pull-x/resumable/part").exists():
            raise OutOfSpace(at.root, 0)
        return await opened(at, copy=copy)

    monkeypatch.setattr(Store, "open", open)
    monkeypatch.setenv("MLXR_HOME", str(home))
    tried = CliRunner().invoke(make_app(), ["gc", "--dry-run", "--json"])
    assert [Path(file["path"]).name for file in json.loads(tried.stdout)["files"]] == ["pull-x"]
    done = CliRunner().invoke(make_app(), ["gc", "--json"])
    assert [Path(file["path"]).name for file in json.loads(done.stdout)["files"]] == ["pull-x", f"sha256-{'1' * 64}"]
    again = CliRunner().invoke(make_app(), ["gc"])
    assert (again.exit_code, again.stdout) == (0, "there is nothing to free\n")

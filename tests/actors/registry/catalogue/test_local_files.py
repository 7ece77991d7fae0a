"""What may be read at a path, and what is said where nothing is."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files, local_files
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, lies_within, members, stat_model
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import safetensors, tiny_gguf


@pytest.fixture
async def resolver(tmp_path: Path) -> AsyncIterator[Resolver]:
    store = await Store.open(Home(tmp_path / "home"))
    yield Resolver(store, MetadataReader())
    await store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds a model."""
    folder = tmp_path / "m"
    with_json('{"model_type": "bert"}')(folder)
    return folder


def private(path: Path) -> None:
    path.write_bytes(b"root:x:0:0")


def unix_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


def with_json(text: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        (path / "config.json").write_text(text)
        (path / "model.safetensors").write_bytes(safetensors())

    return make


KINDS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "another file": private,
    "empty": lambda path: path.write_bytes(b""),
    "a loop": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a FIFO": os.mkfifo,
    "a socket": unix_socket,
    "an empty folder": os.mkdir,
    "a folder without JSON": with_json("not json: secret"),
    "a folder with a list": with_json('["secret"]'),
    "a folder without a type": with_json('{"secret": 1}'),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_of_a_path_without_a_model_one_thing_is_said_whatever_lies_there(
    resolver: Resolver, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x.gguf"
    KINDS[kind](path)
    with pytest.raises(ModelNotFound) as caught:
        await resolver.find(str(path))
    expected = f"no model can be read at {str(path)!r}; at the server's command line `mlxr show` says why"
    assert str(caught.value) == expected
    assert isinstance(caught.value, NoModelAtPath)
    assert caught.value.why.startswith(f"no model can be read at {str(path)!r}: ")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "No such file or directory"),
        ("another file", "the file is no GGUF file"),
        ("empty", "the file is no GGUF file"),
        ("a device", "is no regular file"),
        ("a FIFO", "is no regular file"),
        ("a socket", "is no regular file"),
        ("an empty folder", "the folder has no config.json beside *.safetensors, and no *.gguf"),
    ],
)
def test_the_user_is_told_what_lies_there(tmp_path: Path, kind: str, why: str) -> None:
    KINDS[kind](tmp_path / "x")
    with pytest.raises(NoModelAtPath) as caught:
        stat_model(tmp_path / "x")
    assert caught.value.why.partition(": ")[2] == why


@pytest.mark.parametrize("target", ["../private", "/etc/passwd", "../elsewhere", "../missing", "loop", "."])
def test_links_out_of_a_folder_are_refused(folder: Path, tmp_path: Path, target: str) -> None:
    private(tmp_path / "private")
    (tmp_path / "elsewhere").mkdir()
    (folder / "loop").symlink_to(target)
    with pytest.raises(NoModelAtPath) as caught:
        stat_model(folder)
    assert "'loop' in it is a link that leads to no file within it" in caught.value.why
    (folder / "loop").unlink()
    (folder / "sub").mkdir()
    (folder / "sub" / "chat_template.jinja").symlink_to(f"../{target}")
    with pytest.raises(NoModelAtPath):
        stat_model(folder)


def test_a_link_to_a_link_out_of_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    private(tmp_path / "private")
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("../private")
    with pytest.raises(NoModelAtPath):
        stat_model(folder)


def test_irregular_files_and_unlistable_names_in_a_folder_are_refused(folder: Path) -> None:
    (folder / "a\nb").write_bytes(b"")
    with pytest.raises(NoModelAtPath) as caught:
        stat_model(folder)
    assert "one plain line" in caught.value.why
    (folder / "a\nb").unlink()
    os.mkfifo(folder / "x.json")
    with pytest.raises(NoModelAtPath) as caught:
        stat_model(folder)
    assert "neither a file nor a folder" in caught.value.why


def test_two_folders_whose_listings_would_read_the_same_have_no_digest(tmp_path: Path) -> None:
    inner = hashlib.sha256(b"2").hexdigest()
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (one / "a").write_bytes(b"1")
    (one / "b").write_bytes(b"2")
    (two / f"a\n{inner}  b").write_bytes(b"1")
    assert len(files.hash_folder(one)) == 64
    with pytest.raises(ValueError, match="one plain line"):
        files.hash_folder(two)


def test_the_digest_of_a_folder_is_that_of_its_sha256sum_listing(folder: Path) -> None:
    for name in ("a-b", "a"):
        (folder / name).mkdir()
        (folder / name / "x").write_bytes(name.encode())
    paths = ["a/x", "a-b/x", "config.json", "model.safetensors"]
    lines = [f"{files.hash_file(folder / path)}  {path}\n" for path in paths]
    assert files.hash_folder(folder) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_folder_of_everything_is_looked_through_up_to_a_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "MOST_MEMBERS", 20)
    for number in range(30):
        (folder / str(number)).write_bytes(b"")
    with pytest.raises(ValueError, match="more than 20 files"):
        members(folder)


def test_folders_deep_in_each_other_are_no_model(folder: Path) -> None:
    (folder / "/".join("d" * 30)).mkdir(parents=True)
    with pytest.raises(ValueError, match="deep in each other"):
        members(folder)


def test_a_path_is_admitted_where_it_really_lies(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "out.gguf").symlink_to("../private.gguf")
    tiny_gguf(shared / "x.gguf")
    assert lies_within(shared / "x.gguf", [shared])
    assert lies_within(tmp_path / "a" / ".." / "shared" / "x.gguf", [shared])
    assert not lies_within(shared / "out.gguf", [shared])
    assert not lies_within(shared / ".." / "private.gguf", [shared])
    assert not lies_within(tmp_path / "shared2" / "x.gguf", [shared])
    assert not lies_within(shared / "x.gguf", [])


@pytest.mark.parametrize("moment", [-10_000_000_000, 10_000_000_000_000])
def test_a_file_of_another_age_has_a_date_that_can_be_written(tmp_path: Path, moment: int) -> None:
    tiny_gguf(tmp_path / "x.gguf")
    try:
        os.utime(tmp_path / "x.gguf", (moment, moment))
    except OverflowError:
        pytest.fail("the test's moment is out of the system's range")
    seen = stat_model(tmp_path / "x.gguf")
    assert datetime.fromtimestamp(seen.modified, UTC).year >= 1970

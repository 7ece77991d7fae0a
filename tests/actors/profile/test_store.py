"""The file of a profile, on a real disk."""

from __future__ import annotations

import errno
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlxr.actors.profile.store import ProfileStore
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.profile import McpServer, Profile


def test_a_change_is_there_for_the_next_server_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    ProfileStore(path).change(lambda profile: replace(profile, private_fetch=True))
    assert ProfileStore(path).read().private_fetch
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_servers_of_a_home_lose_none_of_each_others_changes(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"

    def add(number: int) -> None:
        server = McpServer(name=str(number), url="http://127.0.0.1/")
        ProfileStore(path).change(lambda profile: replace(profile, servers=[*profile.servers, server]))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(20)))
    assert len(ProfileStore(path).read().servers) == 20


@pytest.mark.parametrize("data", [b"{", b'{"servers": 3}', b'{"version": 99, "servers": 7}', b"\xff"])
def test_a_file_that_cant_be_read_is_told_of_and_stays_as_it_is(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(data)
    store = ProfileStore(path)
    with pytest.raises(RequestError, match=r"profile\.json in the server's home is"):
        store.read()
    with pytest.raises(RequestError, match=r"profile\.json"):
        store.change(lambda profile: Profile())
    assert path.read_bytes() == data


def test_a_change_that_cant_be_written_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "profile.json"
    store = ProfileStore(path)
    store.change(lambda profile: replace(profile, private_fetch=True))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RequestError, match="can't write"):
        store.change(lambda profile: Profile())
    assert store.read().private_fetch


def test_a_change_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    store = ProfileStore(tmp_path / "profile.json")

    def refuse(profile: Profile) -> Profile:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.change(refuse)
    assert store.read() == Profile()

"""Which server a command talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.cli.client.endpoint import api_key, named, of_process, parsed, running
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import BACKGROUND, RunDirectory, write_addresses


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("box", "http://box:11435"),
        ("box:80", "http://box:80"),
        (":8080", "http://127.0.0.1:8080"),
        ("http://box", "http://box:80"),
        ("https://box/behind/a/proxy/", "https://box:443/behind/a/proxy"),
        ("0.0.0.0", "http://127.0.0.1:11435"),
        ("http://[::]:7", "http://[::1]:7"),
        ("[::1]:7", "http://[::1]:7"),
    ],
)
def test_a_server_is_written_as_for_ollama(text: str, url: str) -> None:
    assert parsed(text, "--endpoint").url == url


@pytest.mark.parametrize(
    "text", ["ftp://x", "http://", "a b", "http://x:port", "x:99999", "http://user@x", "http://x?y"]
)
def test_what_is_no_server_is_named_with_who_wrote_it(text: str) -> None:
    with pytest.raises(ConfigError, match="MLXR_HOST: "):
        named(None, {"MLXR_HOST": text})


def test_an_option_goes_before_the_variable_and_a_socket_is_a_path(tmp_path: Path) -> None:
    chosen = named(f"unix:{tmp_path}/s", {"MLXR_HOST": "elsewhere", "MLXR_API_KEY": "secret"})
    assert chosen is not None
    assert (chosen.socket, chosen.key, chosen.shown) == (f"{tmp_path}/s", "secret", f"unix:{tmp_path}/s")
    assert named(None, {"MLXR_HOST": " "}) is None


def test_a_key_comes_from_the_variable_else_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# mine\n\n first \nsecond\n")
    assert api_key({"MLXR_API_KEY_FILE": str(file)}) == "first"
    assert api_key({"MLXR_API_KEY_FILE": str(file), "MLXR_API_KEY": "given"}) == "given"
    file.write_text("# none\n")
    for path in (file, tmp_path / "missing"):
        with pytest.raises(ConfigError, match="MLXR_API_KEY_FILE"):
            api_key({"MLXR_API_KEY_FILE": str(path)})


def test_a_server_that_somebody_started_goes_before_one_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    with RunDirectory(home.run) as first:
        assert running(home, {}) == []
        write_addresses(first.path, ["http://0.0.0.0:1", "http://[::]:1"])
        monkeypatch.setattr("os.getpid", lambda: 1)
        with RunDirectory(home.run) as second:
            write_addresses(second.path, ["http://127.0.0.1:2", f"unix:{tmp_path}/socket"])
            (second.path / BACKGROUND).touch()
            shown = [(each.shown, each.background) for each in running(home, {})]
            assert of_process(home, 1) is not None
    assert shown == [("http://127.0.0.1:1", False), (f"unix:{tmp_path}/socket", True)]

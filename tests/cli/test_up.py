"""``mlxr up``: how a server begins, and how it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actors.registry.packages import tiny_gguf
from tests.cli.commands import mlxr
from tests.cli.terminal import on_terminal
from tests.models import model_path
from tests.server import free_port, serving


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert mlxr(tmp_path / "home", "pull", str(model_path("smollm2"))).returncode == 0
    return tmp_path / "home"


def test_a_model_that_was_named_and_can_not_be_had_ends_the_server_with_one_line(tmp_path: Path, home: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_text("no model")
    for arguments in (["up", str(junk)], ["up", "--pin", str(junk)]):
        ended = mlxr(home, *arguments, "--port", "0")
        assert ended.returncode == 1
        assert ended.stderr.count("the file is no GGUF file") == 1
        assert ended.stderr.splitlines()[-1].startswith(f"mlxr: can't serve {junk}: ")
    assert f"the server ended: can't serve {junk}" in mlxr(home, "logs").stdout


def test_a_server_where_mlx_does_not_load_says_so_once_and_what_tells_more(tmp_path: Path, home: Path) -> None:
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "core.py").write_text("raise ImportError('libcuda.so.1: no such file')")
    ended = mlxr(home, "up", "smollm2", "--port", "0", PYTHONPATH=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.count("libcuda.so.1: no such file") == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].endswith("does not load, and `mlxr doctor` says what helps)")


def test_a_model_whose_name_is_misspelled_ends_it_with_the_one_that_is_meant(home: Path) -> None:
    ended = mlxr(
        home, "up", "smolm2", "--port", "0", HTTPS_PROXY="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9"
    )
    assert ended.returncode == 1
    assert "did you mean 'smollm2'?" in ended.stderr


def test_a_model_that_the_configuration_names_is_waited_for(tmp_path: Path) -> None:
    """A service must be there for others, and for the one that names it next."""
    tiny_gguf(tmp_path / "other.gguf")
    with serving(tmp_path / "home", "--set", f"models.default={tmp_path / 'nothing.gguf'}", ready=False) as server:
        port = server.port
        shown = mlxr(tmp_path / "home", "ps", "--endpoint", f"127.0.0.1:{port}")
        while shown.returncode:
            shown = mlxr(tmp_path / "home", "ps", "--endpoint", f"127.0.0.1:{port}")
        assert server.process.poll() is None


def test_who_starts_it_on_a_terminal_is_told_where_to_chat(home: Path) -> None:
    port = free_port()
    with on_terminal(home, "up", "--port", str(port), columns=200) as terminal:
        shown = terminal.wait_for("Ctrl-C ends this server")
    assert f"ready: chat at http://127.0.0.1:{port}/ in a browser, or by `mlxr run smollm2` in another" in shown
    assert "loaded: context of 8192 tokens, up to " in shown

"""``mlxr config``, and the walk through docs/adding/command.md, whose example it is."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from mlxr.cli import app as command_line
from mlxr.cli.app import make_app
from mlxr.runtime.errors import ConfigError
from mlxr.server.config import Config
from tests.cli.commands import mlxr

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding/command.md").read_text()


def test_every_key_is_printed_with_its_default(tmp_path: Path) -> None:
    for arguments in (["config"], ["config", "list"], ["config", "default"]):
        printed = mlxr(tmp_path, *arguments, MLXR_KV_SHARED_MEMORY=None).stdout
        assert tomllib.loads(printed) == msgspec.to_builtins(Config())
        assert "negative for ever" in printed


def test_an_installed_packages_file_goes_before_a_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mlxr"
    (package / "configs").mkdir(parents=True)
    (package / "configs" / "default.toml").write_text("# installed\n")
    monkeypatch.setattr("mlxr.__file__", str(package / "__init__.py"))
    assert CliRunner().invoke(make_app(), ["config", "default"]).stdout == "# installed\n"


MINE = """\
# what I changed
[server]   # listening
port = 8080  # not the usual one

[kv]
page_size = 16
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(MINE)
    return tmp_path


def test_each_value_says_where_it_comes_from(home: Path) -> None:
    variables: dict[str, str | None] = {"MLXR_SERVER_HOST": "127.0.0.2", "MLXR_KV_SHARED_MEMORY": None}
    done = mlxr(home, "config", "list", "--json", "--set", "kv.pool_tokens=64", **variables)
    found = {setting["key"]: setting for setting in json.loads(done.stdout)}
    sources = {key: (s["value"], s["source"], s["where"]) for key, s in found.items() if s["source"] != "default"}
    assert sources == {
        "server.port": (8080, "file", str(home / "config.toml")),
        "kv.page_size": (16, "file", str(home / "config.toml")),
        "server.host": ("127.0.0.2", "environment", "MLXR_SERVER_HOST"),
        "kv.pool_tokens": (64, "option", "--set kv.pool_tokens"),
    }
    assert found["server.port"]["default"] == 11435
    shown = mlxr(home, "config").stdout
    assert re.search(r"^port = 8080 +# file: .*config\.toml; 0 takes a free one$", shown, re.M)
    assert mlxr(home, "config", "get", "server.port").stdout == "8080\n"


def test_what_was_changed_is_told_as_json_too(tmp_path: Path) -> None:
    file = str(tmp_path / "config.toml")
    told = [
        json.loads(mlxr(tmp_path, "config", *arguments, "--json").stdout)
        for arguments in (["set", "server.port", "9090"], ["unset", "server.port"], ["path"])
    ]
    assert told == [
        {"key": "server.port", "value": 9090, "file": file},
        {"key": "server.port", "value": None, "file": file},
        {"file": file, "exists": True},
    ]


def test_keys_that_let_clients_in_are_shown_only_to_who_asks_for_them(home: Path) -> None:
    assert mlxr(home, "config", "set", "server.api_keys", "one-key", "another").returncode == 0
    assert mlxr(home, "config", "get", "server.api_keys").stdout == "one-key\nanother\n"
    for arguments in (["config"], ["config", "--json"]):
        assert "one-key" not in mlxr(home, *arguments).stdout
    assert "api_keys" not in tomllib.loads(mlxr(home, "config").stdout)["server"]


def test_set_keeps_comments_order_and_the_files_mode(home: Path) -> None:
    file = home / "config.toml"
    file.chmod(0o640)
    assert mlxr(home, "config", "set", "server.port", "9090").returncode == 0
    assert mlxr(home, "config", "set", "log.level", "debug").returncode == 0
    assert file.read_text() == MINE.replace("8080", "9090") + '\n[log]\nlevel = "debug"\n'
    assert file.stat().st_mode & 0o777 == 0o640
    assert mlxr(home, "config", "unset", "log.level").returncode == 0
    assert file.read_text().rstrip() == MINE.replace("8080", "9090").rstrip()
    assert sorted(path.name for path in home.iterdir()) == ["config.toml"]


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    dotfiles, home = tmp_path / "dotfiles", tmp_path / "home"
    dotfiles.mkdir()
    home.mkdir()
    (dotfiles / "mlxr.toml").write_text(MINE)
    (home / "config.toml").symlink_to(dotfiles / "mlxr.toml")
    assert mlxr(home, "config", "set", "server.port", "9090").returncode == 0
    assert (home / "config.toml").is_symlink()
    assert "9090" in (dotfiles / "mlxr.toml").read_text()


def test_a_new_file_is_its_users_alone(tmp_path: Path) -> None:
    assert mlxr(tmp_path, "config", "set", "server.port", "9090").returncode == 0
    assert (tmp_path / "config.toml").stat().st_mode & 0o077 == 0
    assert mlxr(tmp_path, "config", "path").stdout == f"{tmp_path / 'config.toml'}\n"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("server.port", "http", "takes a whole number"),
        ("server.port", "70000", "server.port takes a whole number, 65535 or less, not 70000"),
        ("sevrer.port", "1", "did you mean server.port?"),
        ("server.zzzzzz", "1", "host, port"),
        ("zzzzzz", "1", "mlxr config"),
        ("log.level", "loud", "debug, info"),
        ("models.keep_alive", "soon", "24h, not 'soon'; how long an unused model stays loaded"),
        ("models.keep_alive", "nan", "takes a number with an end, not nan"),
        ("models.keep_alive", "1e400", "takes a number with an end, not inf"),
    ],
)
def test_what_a_key_does_not_take_is_refused_and_nothing_is_written(
    home: Path, key: str, value: str, says: str
) -> None:
    done = mlxr(home, "config", "set", key, value)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert (home / "config.toml").read_text() == MINE


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server]\n# a comment\nport = 'x'\n", 3),
        ("[server]\nhost = '127.0.0.1'\nprot = 1\n", 3),
        ("# hello\n\n[sevrer]\nport = 1\n", 3),
        ("server = 1\n", 1),
        ("server.port = 'x'\n", 1),
        ("[server]\napi_keys = [\n  1,\n]\n", 2),
    ],
)
def test_a_wrong_file_is_refused_with_the_line(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    for arguments in (["config"], ["config", "set", "kv.page_size", "16"], ["up", "--port", "0"]):
        done = mlxr(tmp_path, *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"mlxr: {file}:{line}: ")
        assert done.stderr.count("\n") == 1
    assert file.read_text() == text


def test_a_wrong_value_can_be_unset(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 'x'\nhost = '127.0.0.1'\n")
    assert mlxr(tmp_path, "config", "unset", "server.port").returncode == 0
    assert (tmp_path / "config.toml").read_text() == "[server]\nhost = '127.0.0.1'\n"
    assert "not set" in mlxr(tmp_path, "config", "unset", "server.port").stderr


def test_a_variable_that_goes_before_the_file_is_named(home: Path) -> None:
    done = mlxr(home, "config", "set", "server.port", "1", MLXR_SERVER_PORT="2")
    assert "MLXR_SERVER_PORT" in done.stderr


def editor(tmp_path: Path, code: str) -> str:
    """An editor that runs ``code`` on the ``text`` of the file, as a command."""
    script = tmp_path / "editor.py"
    script.write_text(
        f"import sys\nfile = sys.argv[1]\ntext = open(file).read()\n{code}\nopen(file, 'w').write(text)\n"
    )
    return f"{sys.executable} {script}"


def test_edit_puts_what_is_right_in_the_files_place(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    command = editor(tmp_path_factory.mktemp("editor"), "text = text.replace('8080', '9090')")
    assert mlxr(home, "config", "edit", EDITOR=command, VISUAL="").returncode == 0
    assert (home / "config.toml").read_text() == MINE.replace("8080", "9090")


def test_edit_leaves_the_file_where_what_was_written_is_wrong(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    command = editor(tmp_path_factory.mktemp("editor"), "text = text.replace('8080', '\"x\"')")
    done = mlxr(home, "config", "edit", EDITOR=command, VISUAL="")
    assert done.returncode == 2
    assert f"{home / 'config.toml'}:3: " in done.stderr
    assert (home / "config.toml").read_text() == MINE
    (kept,) = re.findall(r"in (\S+\.toml)$", done.stderr.strip())
    assert '"x"' in Path(kept).read_text()
    Path(kept).unlink()


def test_edit_of_no_file_shows_every_key_behind_a_mark(tmp_path: Path) -> None:
    command = editor(tmp_path, "assert '# port = 11435' in text; text = text.replace('# port = 11435', 'port = 1')")
    assert mlxr(tmp_path, "config", "edit", VISUAL=command).returncode == 0
    assert tomllib.loads((tmp_path / "config.toml").read_text())["server"] == {"port": 1}


def test_a_command_made_as_the_page_says_is_one_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def register(app: typer.Typer) -> None:
        app.command("greet", help="Greet.")(greet)

    def greet(name: str) -> None:
        if name == "nobody":
            raise ConfigError("there is nobody to greet; name somebody")
        typer.echo(f"hello, {name}")

    made = make_app()
    register(made)
    monkeypatch.setattr(command_line, "make_app", lambda: made)
    assert "greet" in CliRunner().invoke(made, ["--help"]).stdout
    assert CliRunner().invoke(made, ["greet", "you"]).stdout == "hello, you\n"
    monkeypatch.setattr(sys, "argv", ["mlxr", "greet", "nobody"])
    with pytest.raises(SystemExit) as ended:
        command_line.run()
    assert ended.value.code == 2


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:mlxr|tests)/[\w/.]+\.py)`", PAGE)
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert "config" in command_line.MODULES


def test_a_value_of_another_type_is_refused_in_the_keys_own_words(tmp_path: Path) -> None:
    refused = mlxr(tmp_path, "config", "set", "server.port", "abc")
    assert (refused.returncode, refused.stderr) == (
        2,
        "mlxr: server.port takes a whole number, not 'abc'; 0 takes a free one\n",
    )


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31mred", "a\x00b".replace("\x00", "\x07")])
def test_a_text_with_control_characters_is_no_value_wherever_it_is_set(tmp_path: Path, value: str) -> None:
    refused = mlxr(tmp_path, "config", "set", "server.host", value)
    assert refused.returncode == 2
    assert "server.host is one plain line" in refused.stderr
    assert not (tmp_path / "config.toml").exists()
    assert "one plain line" in mlxr(tmp_path, "config", MLXR_SERVER_HOST=value).stderr
    assert "one plain line" in mlxr(tmp_path, "config", "set", "models.pinned", "good", value).stderr


@pytest.mark.parametrize("editor", ["vi", "/usr/bin/vim -n", "nano"])
def test_an_editor_that_draws_on_a_terminal_is_not_started_without_one(tmp_path: Path, editor: str) -> None:
    refused = mlxr(tmp_path, "config", "edit", EDITOR=editor, VISUAL="")
    assert refused.returncode == 2
    assert "needs a terminal" in refused.stderr
    assert "`mlxr config set SECTION.KEY VALUE`" in refused.stderr

"""Following the page on adding a configuration key makes one that works."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from mlxr.runtime.config import Flag, as_toml, load
from mlxr.runtime.errors import ConfigError
from tests.pages import DOCS, imported, python_of

PAGE = (DOCS / "config-key.md").read_text()
CODE = """
from typing import Annotated
from msgspec import Meta, Struct
from mlxr.http.settings import ServerSettings
from mlxr.runtime.config import about

class Server(ServerSettings, frozen=True, forbid_unknown_fields=True):
{}

class Config(Struct, frozen=True):
    server: Server = Server()
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A configuration with the page's key in its section."""
    code = CODE.format(indent(python_of("config-key.md").strip(), "    "))
    return imported("config_with_greeting", code, tmp_path, monkeypatch).Config


def test_the_pages_key_is_set_by_file_variable_and_flag(config: Any, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[server]\ngreeting = "from the file"\n')
    assert load(config).server.greeting == "Ollama is running"
    assert load(config, file).server.greeting == "from the file"
    variable = {"MLXR_SERVER_GREETING": "from a variable"}
    assert load(config, file, variable).server.greeting == "from a variable"
    flags = [Flag("--set", "server.greeting", "from a flag")]
    assert load(config, file, variable, flags).server.greeting == "from a flag"


def test_a_wrong_value_of_the_pages_key_is_refused_by_its_name(config: Any) -> None:
    with pytest.raises(ConfigError, match=r"greeting"):
        load(config, None, {"MLXR_SERVER_GREETING": "a" * 81})


def test_the_pages_key_is_in_the_file_of_defaults(config: Any) -> None:
    assert 'greeting = "Ollama is running" # what GET / says' in as_toml(config)


def test_files_that_the_page_names_are_there() -> None:
    named = re.findall(r"`((?:mlxr|tests|configs)/[\w./]+\.\w+)`", PAGE)
    assert len(named) >= 5
    assert [name for name in named if not (Path(__file__).parents[2] / name).exists()] == []

"""The configuration of a server, from its three sources."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from mlxr.cli.app import make_app
from mlxr.runtime.config import Flag, as_toml, load, sections_of
from mlxr.runtime.errors import ConfigError
from mlxr.server.config import HEAD, Config

DEFAULTS = Path(__file__).parents[2] / "configs" / "default.toml"


def test_the_default_file_shows_every_key_with_its_default() -> None:
    assert tomllib.loads(DEFAULTS.read_text()) == msgspec.to_builtins(Config())


def test_the_default_file_is_what_the_sections_say() -> None:
    assert DEFAULTS.read_text() == f"{HEAD}\n{as_toml(Config)}"


def test_flags_override_variables_which_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[server]\nport = 1\nollama_port = 1\nmax_stop = 1\n")
    environment = {"MLXR_SERVER_PORT": "2", "MLXR_SERVER_OLLAMA_PORT": "2", "PATH": "x"}
    config = load(Config, file, environment, [Flag("--port", "server.port", 3), Flag("--host", "server.host", None)])
    assert (config.server.port, config.server.ollama_port, config.server.max_stop) == (3, 2, 1)


def test_variables_hold_lists_flags_and_numbers() -> None:
    environment = {
        "MLXR_SERVER_API_KEYS": "one, two",
        "MLXR_SERVER_ALLOW_ANONYMOUS": "yes",
        "MLXR_KV_MEMORY_FRACTION": "0.5",
    }
    config = load(Config, None, environment)
    assert config.server.api_keys == ["one", "two"]
    assert config.server.allow_anonymous is True
    assert config.kv.memory_fraction == 0.5


DURATIONS = [
    f"{section}.{key}"
    for section, kind in sections_of(Config).items()
    for key in kind.__struct_fields__
    if key.endswith("_seconds") or key == "keep_alive"
]


@pytest.mark.parametrize("key", DURATIONS)
def test_durations_have_units_from_every_source(key: str, tmp_path: Path) -> None:
    section, _, name = key.partition(".")
    file = tmp_path / "config.toml"
    file.write_text(f'[{section}]\n{name} = "1h30m"\n')
    variable = {f"MLXR_{section}_{name}".upper(): "90m"}
    for config in (load(Config, file), load(Config, None, variable), load(Config, None, {}, [Flag(key, key, "5400s")])):
        assert getattr(getattr(config, section), name) == 5400


@pytest.mark.parametrize(("given", "seconds"), [("-1", -1), ("0", 0), ("300", 300), ("1.5", 1.5)])
def test_a_duration_without_a_unit_is_seconds(given: str, seconds: float) -> None:
    assert load(Config, None, {"MLXR_MODELS_KEEP_ALIVE": given}).models.keep_alive == seconds


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "MLXR_MODELS_KEEP_ALIVE",
            "soon",
            "keep_alive takes seconds, or a duration such as 90s, 5m or 24h, not 'soon'",
        ),
        ("MLXR_SERVER_BODY_SECONDS", "-5m", "body_seconds"),
        ("MLXR_KV_PAGE_SIZE", "5m", "takes a whole number"),
        (
            "MLXR_MODELS_MEMORY_LIMIT",
            "lots",
            "memory_limit can't be 'lots'; what all may take together, as 12GB or 50%",
        ),
        ("MLXR_SERVER_PROT", "1", "did you mean MLXR_SERVER_PORT?"),
        ("MLXR_SERVER_ZZZZZZZZZZZZ", "1", "[server] has host, port"),
        ("MLXR_PORT", "1", "did you mean MLXR_SERVER_PORT?"),
        ("MLXR_ZZZ", "1", "server, models"),
        ("MLXR_SEVRER_PORT", "1", "did you mean MLXR_SERVER_PORT?"),
        ("MLXR_SERVER_PORT", "http", "port"),
        ("MLXR_SERVER_PORT", "70000", "65535"),
        ("MLXR_EXECUTOR_BACKEND", "gpu", "reference"),
        ("MLXR_SERVER_ALLOW_ANONYMOUS", "perhaps", "allow_anonymous"),
        ("MLXR_KV_PAGE_SIZE", "0", "page_size"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(Config, None, {name: value})
    assert name in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("flags", "source", "says"),
    [
        (["--set", "server.prot=1"], "--set server.prot", "port"),
        (["--set", "sevrer.port=1"], "--set sevrer.port", "server"),
        (["--set", "server.port=http"], "--set server.port", "takes a whole number"),
        (["--set", "executor.context=1"], "--set executor.context", "did you mean executor.context_length?"),
        (["--set", "kv.zzz=1"], "--set kv.zzz", "page_size, pool_tokens"),
        (["--set", "log.level=loud"], "--set log.level", "warning"),
        (["--set", "page_size=16"], "--set page_size=16", "SECTION.KEY=VALUE"),
        (["--log-level", "loud"], "--log-level", "warning"),
        (["--port", "70000"], "--port", "65535"),
    ],
)
def test_a_wrong_flag_is_refused_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], source: str, says: str
) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path))
    with pytest.raises(ConfigError) as refused:
        make_app()(["up", *flags], standalone_mode=False)
    assert str(refused.value).startswith(f"{source}:")
    assert says in str(refused.value)
    assert "MLXR_" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nprot = 1\n", "prot"),
        ("[sever]\nport = 1\n", "sever"),
        ("server = 1\n", "section"),
        ("[server]\nport = 'x'\n", "port"),
        ("[server\n", "TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name_and_the_fault(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(Config, file)
    assert "mine.toml" in str(refused.value)
    assert says in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load(Config, tmp_path / "absent.toml")

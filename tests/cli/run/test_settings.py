"""How people write options, formats and thinking, and what is wrong with what they wrote."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from mlxr.cli.run.settings import BOUNDS, PARAMETERS, given_format, given_keep_alive, given_think, parameter
from mlxr.http.ollama.schema import Options
from mlxr.runtime.errors import ConfigError


def test_every_parameter_is_an_option_of_the_api() -> None:
    assert set(PARAMETERS) <= set(Options.__struct_fields__)


def test_bounds_are_those_of_the_api() -> None:
    kinds = get_type_hints(Options, include_extras=True)
    for name in PARAMETERS:
        metas = [meta for kind in get_args(kinds[name]) for meta in getattr(kind, "__metadata__", ())]
        bounds = {(meta.ge, meta.le) for meta in metas if meta.le is not None}
        widest = {(-(2**bits), 2**bits - 1) for bits in (31, 63)}
        assert bounds - widest == ({BOUNDS[name]} if name in BOUNDS else set()), name


def test_values_are_of_the_kind_that_the_parameter_takes() -> None:
    assert parameter("temperature", ["0.5"]) == 0.5
    assert parameter("seed", ["-1"]) == -1
    assert parameter("stop", ["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("num_ctx", ["4096.5"], "whole number"),
        ("temperature", ["hot"], "temperature takes a number"),
        ("temperature", ["1", "2"], "temperature takes a number"),
        ("temperature", ["-1"], "temperature takes a number from 0 to 100, not -1.0"),
        ("num_ctx", ["-5"], "num_ctx takes 0 or more, not -5"),
        ("presence_penalty", ["nan"], "not nan"),
        ("top_p", ["7"], "from 0 to 1"),
        ("tempratur", ["1"], "did you mean temperature?"),
        ("zzz", ["1"], "there are temperature, top_k"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_named(name: str, values: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        parameter(name, values)


def test_a_format_is_json_a_schema_or_a_file_with_one(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    assert given_format("json") == "json"
    assert given_format("") is None
    for text in (file.read_text(), str(file), f"@{file}"):
        assert given_format(text) == {"type": "object"}
    file.write_text("[]")
    for text in ("yaml", "{", str(file)):
        with pytest.raises(ConfigError, match="format"):
            given_format(text)


def test_thinking_is_switched_or_has_a_level() -> None:
    assert [given_think(text) for text in ("true", "ON", "false", "none", "High")] == [True, True, False, False, "high"]
    with pytest.raises(ConfigError, match="low, medium, high"):
        given_think("very")


def test_how_long_a_model_stays_is_a_duration() -> None:
    assert [given_keep_alive(text) for text in ("24h", " 5m", "-1", "0")] == ["24h", "5m", "-1", "0"]
    with pytest.raises(ConfigError, match="90s, 5m or 24h, not 'soon'"):
        given_keep_alive("soon")

"""Values that options do not take are wrong usage, said before anything is begun."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mlxr.cli.app import make_app
from mlxr.runtime.errors import ConfigError
from tests.cli.commands import mlxr


@pytest.fixture(scope="module")
def app() -> object:
    return make_app()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("run m x --keepalive soon", "90s, 5m or 24h"),
        ("run m x --temperature -1", "temperature takes a number from 0 to 100"),
        ("run m x -o repeat_penalty=-4", "repeat_penalty takes a number from 0.01 to 100"),
        ("ps --endpoint unix:", "unix:PATH"),
        ("up --host 0.0.0.0", "--api-key"),
        ("up --set server.tls_certificate=c.pem", "tls_key"),
        ("up --set models.memory_limit=lots", "12GB or 50%"),
        ("import a b --from ollama --name c", "one model"),
        ("bench m --plot /nowhere/b.png", "no folder /nowhere"),
        ("convert m --to mlx --type Q99", "choose from 2bit"),
        ("convert m --to mlx --group-size 32", "such as 4bit"),
        ("quantize m --type Q99", "choose from F32"),
        ("quantize m --type Q8_0 --tensor-type ffn_down", "EXPRESSION=TYPE"),
        ("quantize m --type Q8_0 --tensor-type (=q8_0", "no regular expression"),
        ("quantize m --type Q8_0 --output-tensor-type Q99", "no type of tensors"),
        ("quantize m --type Q8_0 --imatrix /nowhere", "no such file"),
        ("logs --since 5parsecs", "10m, 2h"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_wrong_usage(
    app: object, line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path))
    with pytest.raises(ConfigError) as refused:
        app(shlex.split(line), standalone_mode=False)  # type: ignore[operator]
    assert says in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_wrong_usage_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    done = mlxr(tmp_path, "run", "m", "x", "--keepalive", "soon")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)

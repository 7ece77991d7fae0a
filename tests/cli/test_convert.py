"""``mlxr convert`` as a process."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import mlxr
from tests.models import model_path
from tests.models.quantization.models import types_in


def test_a_folder_becomes_a_quantized_gguf_file_under_a_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = mlxr(
        home, "convert", str(model_path("minilm")), "--to", "gguf", "--type", "Q8_0", "--name", "mini", "--json"
    )
    assert (made.returncode, made.stderr) == (0, "")
    facts = json.loads(made.stdout)
    assert (facts["name"], facts["quantization"]) == ("mini", "Q8_0")
    assert types_in(Path(facts["path"]))["blk.0.attn_q.weight"] == "Q8_0"
    (listed,) = json.loads(mlxr(home, "ls", "--json").stdout)
    assert listed["architecture"] == "bert"


def test_a_gguf_file_becomes_an_mlx_folder_under_a_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = mlxr(home, "convert", str(model_path("smollm2")), "--to", "mlx", "--name", "smol", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    folder = Path(json.loads(made.stdout)["path"])
    assert json.loads((folder / "config.json").read_text())["quantization"]["bits"] == 4
    (listed,) = json.loads(mlxr(home, "ls", "--json").stdout)
    assert (listed["name"], listed["architecture"]) == ("smol", "llama")


def test_a_format_that_there_is_not_is_wrong_usage(tmp_path: Path) -> None:
    result = mlxr(tmp_path, "convert", "x", "--to", "onnx")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1

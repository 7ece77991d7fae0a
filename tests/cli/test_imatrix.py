"""``mlxr imatrix`` as a process, and what it makes put to use."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import mlxr
from tests.models.quantization.models import small_model, types_in
from tests.models.quantization.test_measure import text_of


def test_importances_are_measured_and_used_for_very_few_bits(tmp_path: Path) -> None:
    home, made, text = tmp_path / "home", tmp_path / "im.gguf", tmp_path / "text.txt"
    source = small_model(tmp_path / "base.gguf", layers=1)
    text.write_text(text_of(150), "utf-8")
    arguments = ("imatrix", str(source), "--text", str(text), "-o", str(made), "--chunk-size", "64", "--json")
    result = mlxr(home, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"path": str(made), "chunks": 2, "tokens": 128, "matrices": 7}
    again = mlxr(home, *arguments)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    small = mlxr(
        home, "quantize", str(source), "--type", "IQ2_XXS", "--imatrix", str(made), "--name", "small", "--json"
    )
    assert (small.returncode, small.stderr) == (0, "")
    assert types_in(Path(json.loads(small.stdout)["path"]))["blk.0.ffn_up.weight"] == "IQ2_XXS"


def test_a_text_that_is_none_is_one_line(tmp_path: Path) -> None:
    source = small_model(tmp_path / "base.gguf", layers=1)
    (tmp_path / "short.txt").write_text("x")
    (tmp_path / "wild.txt").write_bytes(b"\xff\xfe\x00")
    for name, said in (
        ("short.txt", "give a longer one"),
        ("wild.txt", "no text in UTF-8"),
        ("no.txt", "No such file"),
    ):
        result = mlxr(tmp_path / "home", "imatrix", str(source), "--text", str(tmp_path / name))
        assert result.returncode != 0
        assert said in result.stderr
        assert result.stderr.count("\n") == 1

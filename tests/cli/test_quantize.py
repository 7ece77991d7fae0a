"""``mlxr quantize`` as a process."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.cli.commands import COMMAND, environment, mlxr
from tests.models.quantization.models import small_model, types_in


def test_a_model_is_quantized_and_catalogued(tmp_path: Path) -> None:
    home = tmp_path / "home"
    source = small_model(tmp_path / "base.gguf", layers=2)
    made = mlxr(home, "quantize", str(source), "--type", "q4_k_m", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    facts = json.loads(made.stdout)
    assert (facts["name"], facts["quantization"]) == ("base-q4_k_m", "Q4_K_M")
    assert types_in(Path(facts["path"]))["blk.0.attn_q.weight"] == "Q4_K"
    refused = mlxr(home, "quantize", "base-q4_k_m", "--type", "Q2_K", "--name", "less")
    assert refused.returncode == 1
    assert refused.stderr.startswith("mlxr: base-q4_k_m is quantized already")
    assert "--requantize" in refused.stderr
    assert refused.stderr.count("\n") == 1
    again = mlxr(home, "quantize", "base-q4_k_m", "--type", "Q2_K", "--name", "less", "--requantize")
    assert again.stdout.split()[0] == "less"
    listed = {entry["name"]: entry["quantization"] for entry in json.loads(mlxr(home, "ls", "--json").stdout)}
    assert listed == {"base-q4_k_m": "Q4_K_M", "less": "Q2_K"}
    assert not list((home / "models" / "partial").iterdir())


def test_a_model_is_written_to_a_path(tmp_path: Path) -> None:
    home, target = tmp_path / "home", tmp_path / "q8.gguf"
    source = small_model(tmp_path / "base.gguf", layers=1)
    assert mlxr(home, "quantize", str(source), "-t", "Q8_0", "-o", str(target)).returncode == 0
    assert types_in(target)["blk.0.attn_q.weight"] == "Q8_0"
    assert json.loads(mlxr(home, "ls", "--json").stdout) == []
    taken = mlxr(home, "quantize", str(source), "-t", "Q8_0", "-o", str(target))
    assert (taken.returncode, "is there already" in taken.stderr) == (1, True)
    # /proc takes no file from anybody, and root may write wherever a folder's mode says that nobody may.
    full = mlxr(home, "quantize", str(source), "-t", "Q8_0", "-o", "/proc/q8.gguf")
    assert full.returncode == 1
    assert full.stderr.startswith("mlxr: ")
    assert full.stderr.endswith("; give another --output\n") or full.stderr.endswith(", or give another --output\n")


def test_wrong_usage_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    for arguments, said in (
        (("quantize", "x", "--type", "Q9"), "choose from F32, F16"),
        (("quantize", "x", "--type", "Q8_0", "--name", "a", "--output", "b"), "exclude each other"),
        (("quantize", "x"), "--type"),
    ):
        result = mlxr(tmp_path, *arguments)
        assert result.returncode == 2
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
    missing = mlxr(tmp_path, "quantize", "nope", "--type", "Q8_0")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "'nope' not found" in missing.stderr


def test_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    source = small_model(tmp_path / "base.gguf", layers=32, width=1024)
    process = subprocess.Popen(
        [str(COMMAND), "quantize", str(source), "--type", "IQ3_S", "--threads", "1"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    partial = home / "models" / "partial"
    while not list(partial.glob("*/model")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; nothing was kept" in said
    assert not list(partial.iterdir())
    assert json.loads(mlxr(home, "ls", "--json").stdout) == []
